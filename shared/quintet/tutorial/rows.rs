quintet::text_enum! {
    /// The state of a ticket.
    pub enum State { Printing = "printing", Printed = "printed" }
}

/// A ticket, as printer stores it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ticket {
    pub ticket_id: TicketId,
    pub state: State,
    pub barcode: Option<String>,
}

quintet::record!(Ticket in "ticket": ticket_id: TicketId, state: State, barcode: Option<String>);
