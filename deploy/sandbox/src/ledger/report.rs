//! `GET /ledger`, streamed: hundreds of thousands of rows never stand in memory at once.

use std::ops::ControlFlow;

use futures::{Stream, TryStreamExt, stream};
use sqlx::SqlitePool;
use tokio::sync::mpsc;

/// Bytes per piece of the body.
const PIECE: usize = 64 * 1024;
/// How many pieces may wait for a slow reader.
const AHEAD: usize = 4;

// The bounds take one order or all of them by the same index: every text sorts between '' and the blob x''.
// Ids are time-ordered, so the order of the index is about that of arrival.
const SECTIONS: [(&str, &str); 4] = [
    (
        "{\"charges\":[",
        "select json_object('order_id', order_id, 'idempotency_key', idempotency_key,
                'amount_minor', amount_minor, 'currency', currency, 'status', status, 'requests', requests)
         from entry where kind = 'charge' and order_id between coalesce(?1, '') and coalesce(?1, x'')
         order by order_id, id",
    ),
    (
        "],\"refunds\":[",
        "select json_object('order_id', order_id, 'idempotency_key', idempotency_key,
                'amount_minor', amount_minor, 'currency', currency, 'status', status, 'requests', requests)
         from entry where kind = 'refund' and order_id between coalesce(?1, '') and coalesce(?1, x'')
         order by order_id, id",
    ),
    (
        "],\"bookings\":[",
        "select json_object('order_id', order_id, 'idempotency_key', idempotency_key,
                'status', status, 'requests', requests)
         from entry where kind = 'booking' and order_id between coalesce(?1, '') and coalesce(?1, x'')
         order by order_id, id",
    ),
    (
        "],\"mails\":[",
        "select json_object('order_id', nullif(order_id, ''), 'message_id', message_id,
                'to', recipient, 'subject', subject, 'copies', copies)
         from mail where order_id between coalesce(?1, '') and coalesce(?1, x'')
         order by order_id, id",
    ),
];

type Piece = Result<Vec<u8>, sqlx::Error>;

/// The report as pieces of JSON; an error cuts it short, so that a part never passes for the whole.
pub(super) fn stream(
    readers: SqlitePool,
    order_id: Option<String>,
) -> impl Stream<Item = Piece> + Send + 'static {
    let (pieces, received) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if let Err(error) = read(&readers, order_id, &pieces).await {
            // A reader who has gone needs no error.
            let _ = pieces.send(Err(error)).await;
        }
    });
    stream::unfold(received, |mut received| async move {
        received.recv().await.map(|piece| (piece, received))
    })
}

async fn read(
    readers: &SqlitePool,
    order_id: Option<String>,
    pieces: &mpsc::Sender<Piece>,
) -> Result<(), sqlx::Error> {
    // One transaction is one snapshot over all four sections.
    let mut snapshot = readers.begin().await?;
    let mut piece = Vec::with_capacity(PIECE + 1024);
    for (opening, rows) in SECTIONS {
        piece.extend_from_slice(opening.as_bytes());
        let mut rows =
            sqlx::query_scalar::<_, String>(rows).bind(order_id.clone()).fetch(&mut *snapshot);
        let mut first = true;
        while let Some(row) = rows.try_next().await? {
            if !std::mem::take(&mut first) {
                piece.push(b',');
            }
            piece.extend_from_slice(row.as_bytes());
            if piece.len() >= PIECE && hand_over(&mut piece, pieces).await.is_break() {
                return Ok(());
            }
        }
    }
    piece.extend_from_slice(b"]}");
    let _ = hand_over(&mut piece, pieces).await;
    Ok(())
}

async fn hand_over(piece: &mut Vec<u8>, pieces: &mpsc::Sender<Piece>) -> ControlFlow<()> {
    let full = std::mem::replace(piece, Vec::with_capacity(PIECE + 1024));
    match pieces.send(Ok(full)).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
