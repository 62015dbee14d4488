//! The HTTP interface of tickets. `/docs` of the running service shows it.

use quintet::{
    axum::{Json, extract::State},
    http::{CommandResponse, Field},
    prelude::*,
    utoipa::{self, ToSchema},
    uuid_v7,
};

use super::{RequestTicket, Ticket, Tickets};
use crate::contract::TicketId;

pub(super) fn routes() -> OpenApiRouter<App<Tickets>> {
    OpenApiRouter::default()
        .routes(routes!(post_ticket))
        .routes(routes!(get_ticket))
}

/// The ticket that a customer requests.
#[derive(Debug, ToSchema)]
struct NewTicket {
    #[schema(min_length = 1, max_length = 100)]
    show: String,
    /// What the customer pays at most, in euros.
    #[schema(minimum = 0, maximum = 1_000_000)]
    budget: i64,
}

/// The answer to a bad request names all fields that are missing or wrong, not only the first.
impl FromJson<App<Tickets>> for NewTicket {
    fn read(body: &Field<'_>, _: &App<Tickets>) -> Option<Self> {
        Some(Self {
            show: body.at("show").text(100),
            budget: body.at("budget").integer(0..=1_000_000),
        })
    }
}

/// Takes a request. A repeat under the same `Idempotency-Key` gets the same answer and requests no second ticket.
#[utoipa::path(post, path = "/tickets", operation_id = "request_ticket", tag = "tickets",
    params(Idempotency), request_body = NewTicket,
    responses((status = 202, description = "A seat is being looked for.", body = Ticket)))]
async fn post_ticket(
    State(app): State<App<Tickets>>,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value, fingerprint }: Body<NewTicket>,
) -> Result<CommandResponse, Problem> {
    let NewTicket { show, budget } = value;
    let command = RequestTicket {
        ticket_id: uuid_v7(&*app.clock, &*app.random).into(),
        show,
        budget,
    };
    let key = key.key("POST /tickets", fingerprint);
    Ok(app.commands.send(command, key, trace).await?)
}

/// Shows a ticket.
#[utoipa::path(get, path = "/tickets/{ticket_id}", operation_id = "get_ticket", tag = "tickets",
    params(("ticket_id" = TicketId, Path, description = "The ticket.")),
    responses((status = 200, description = "The ticket as it is now.", body = Ticket),
        (status = 404, description = "There is no such ticket.")))]
async fn get_ticket(
    State(app): State<App<Tickets>>,
    AggregatePath(ticket_id): AggregatePath<TicketId>,
) -> Result<Json<Ticket>, Problem> {
    let ticket: Option<Ticket> = app.engine.db().find(ticket_id).await?;
    ticket
        .map(Json)
        .ok_or_else(|| Problem::not_found("such ticket"))
}
