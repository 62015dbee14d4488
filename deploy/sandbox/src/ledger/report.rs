//! `GET /ledger`, streamed, so that hundreds of thousands of rows are never in memory at once.

use std::ops::ControlFlow;

use futures::{Stream, TryStreamExt, stream};
use sqlx::SqlitePool;
use tokio::sync::mpsc;

/// The size of a piece of the body, in bytes.
const PIECE: usize = 64 * 1024;
/// How many pieces may wait for a slow reader.
const AHEAD: usize = 4;

// The bounds select one order or all orders by the same index: in SQLite every text sorts between '' and the blob x''.
// Order ids are ordered by time, so the index is roughly in the order of arrival.
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

/// The report in pieces of JSON. An error ends the stream, so that a part is never taken for the whole.
pub(super) fn stream(
    readers: SqlitePool,
    order_id: Option<String>,
) -> impl Stream<Item = Piece> + Send + 'static {
    let (pieces, received) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if let Err(error) = read(&readers, order_id, &pieces).await {
            // Sending fails if the reader is gone; then the error does not matter.
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
            if piece.len() >= PIECE && send(&mut piece, pieces).await.is_break() {
                return Ok(());
            }
        }
    }
    piece.extend_from_slice(b"]}");
    let _ = send(&mut piece, pieces).await;
    Ok(())
}

async fn send(piece: &mut Vec<u8>, pieces: &mpsc::Sender<Piece>) -> ControlFlow<()> {
    let full = std::mem::replace(piece, Vec::with_capacity(PIECE + 1024));
    match pieces.send(Ok(full)).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
