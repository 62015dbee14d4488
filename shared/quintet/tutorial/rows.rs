quintet::text_enum! {
    /// Where a ticket stands.
    pub enum State { Printing = "printing", Printed = "printed" }
}

/// What printer knows of a ticket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ticket {
    pub ticket_id: TicketId,
    pub state: State,
    pub barcode: Option<String>,
}

quintet::record!(Ticket in "ticket": ticket_id: TicketId, state: State, barcode: Option<String>);
