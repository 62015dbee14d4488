use quintet::prelude::*;

/// The service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Printer;

#[async_trait]
impl Participant for Printer {
    const NAME: &'static str = "printer";
    const CONSUMES: &'static [EventType] = &[EventType::TicketAsked];

    type Contract = Event;
    type World = Rows<Ticket>;
    type Command = Never;
    type Reply = Never;
    type Effect = Print;
    type Outcome = Barcode;
    type Alarm = Never;

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Rows<Ticket>, StoreError> {
        Rows::load(tx, inputs.iter().filter_map(|input| input.aggregate())).await
    }

    async fn save(&self, tx: &mut Tx, tickets: &Rows<Ticket>) -> Result<(), StoreError> {
        tickets.save(tx).await
    }

    fn react(tickets: &mut Rows<Ticket>, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::TicketAsked(asked)) => {
                let ticket_id = asked.ticket_id;
                if tickets.get(&ticket_id).is_none() {
                    tickets.put(Ticket { ticket_id, state: State::Printing, barcode: None });
                    out.request(Print { ticket_id, seat: asked.seat.clone() });
                }
            }
            What::Outcome(ticket_id, Barcode(barcode)) => {
                let Some(ticket) = tickets.get_mut(ticket_id) else { return };
                ticket.state = State::Printed;
                ticket.barcode = Some(barcode.clone());
                out.emit(TicketPrinted { ticket_id: *ticket_id, barcode: barcode.clone() });
            }
            What::Event(_) => {}
            What::Command(never) | What::Alarm(_, never) => match *never {},
        }
    }
}
