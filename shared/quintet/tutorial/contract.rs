use serde::{Deserialize, Serialize};

quintet::ids! {
    /// A ticket, and the key of all its events.
    TicketId;
}

quintet::contract! {
    /// The events about tickets.
    pub enum Event: EventType;
    namespace "cinema";
    key ticket_id: TicketId;
    schemas "tutorial/schemas";
    compacted;
    payloads(Clone, Debug, PartialEq, Serialize, Deserialize);

    /// A ticket is asked for.
    TicketAsked by "office" on "asked" in "ticket_asked": 1 { ticket_id: TicketId, seat: String }
    /// The ticket is printed.
    TicketPrinted by "printer" on "printed" in "ticket_printed": 1 { ticket_id: TicketId, barcode: String }
}
