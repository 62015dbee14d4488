//! Travellers, who book trips and send a booking again when they hear nothing.

use quintet::{anyhow::Result, async_trait, clock::uuid_v7};
use quintet_test::simulation::{Actions, Clients, Weighted, Wish, Workload};
use trip::{
    Booking,
    contract::{TripId, TripRequested},
};

const DESTINATIONS: [&str; 4] = ["Lisbon", "Mars", "Atlantis", "Oslo"];

/// See the module.
#[derive(Default)]
pub struct Travellers {
    trips: Vec<Wish<TripRequested, TripId>>,
}

impl Travellers {
    /// The trips that were accepted, as far as travellers have heard.
    pub fn accepted(&self) -> impl Iterator<Item = TripId> {
        self.trips.iter().flat_map(|wish| wish.answers().iter().copied())
    }

    /// Sends every booking that has no answer.
    async fn book(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for wish in self.trips.iter_mut().filter(|wish| wish.is_open()) {
            let name = format!("book {} to {}", wish.name, wish.body.destination);
            let command = clients.command::<Booking>(&name, wish.body.clone(), Some(wish.key()));
            wish.asked(command.input.cause);
            clients.send(command).await?;
            told.push(name);
        }
        Ok(told)
    }
}

#[async_trait]
impl Workload for Travellers {
    fn actions(&self) -> Actions {
        let again = Weighted { weight: 1, name: "again" };
        Actions { opening: "book", openings: 4, others: vec![again] }
    }

    async fn act(
        &mut self,
        action: &'static str,
        clients: &mut Clients<'_>,
    ) -> Result<Option<String>> {
        if action == "book" {
            let environment = clients.environment();
            let trip_id = TripId::from(uuid_v7(environment, environment));
            let name = ["A", "B", "C", "D"][self.trips.len().min(3)];
            environment.call(trip_id.uuid(), name);
            let destination = DESTINATIONS[environment.dice().index(4)].to_owned();
            let (traveller, nights) = ("Ada".to_owned(), 3);
            let request = TripRequested { trip_id, traveller, destination, nights };
            self.trips.push(Wish::new(name, request));
        }
        let told = self.book(clients).await?;
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    fn hear(&mut self, clients: &mut Clients<'_>) -> Result<()> {
        for heard in clients.hear::<Booking>()? {
            let asked = self.trips.iter_mut().find(|wish| wish.was_asked_by(heard.command));
            if let (Some(wish), Ok(trip)) = (asked, heard.answer) {
                wish.granted(heard.command, trip.trip_id);
            }
        }
        Ok(())
    }

    async fn insist(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        self.trips.iter_mut().for_each(Wish::lose_patience);
        self.book(clients).await
    }
}
