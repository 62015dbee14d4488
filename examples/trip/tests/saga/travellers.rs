//! The travellers of a simulation: they book trips, and repeat a booking that has no answer.

use quintet::{
    anyhow::{Context as _, Result},
    async_trait,
    clock::uuid_v7,
};
use quintet_test::simulation::{Actions, Clients, Weighted, Wish, Workload};
use trip::{
    Booking,
    booking::Trip,
    contract::{TripId, TripRequested},
};

const DESTINATIONS: [&str; 4] = ["Lisbon", "Mars", "Atlantis", "Oslo"];

/// The travellers, with the trips that they want.
#[derive(Default)]
pub struct Travellers {
    trips: Vec<Wish<TripRequested, TripId>>,
}

impl Travellers {
    /// The trips of which a traveller has got the answer that they are accepted.
    pub fn accepted(&self) -> impl Iterator<Item = TripId> {
        self.trips.iter().flat_map(|wish| wish.answers().iter().copied())
    }

    /// Sends a command for each booking without an answer. Returns their names.
    async fn book(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for wish in self.trips.iter_mut().filter(|wish| wish.is_open()) {
            let name = format!("book {} to {}", wish.name, wish.body.destination);
            let command = clients.command::<Booking>(&name, wish.body.clone(), Some(wish.key()));
            wish.asked(command.input.cause);
            clients.send(command).await?;
            names.push(name);
        }
        Ok(names)
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
        let names = self.book(clients).await?;
        Ok((!names.is_empty()).then(|| names.join(", ")))
    }

    fn hear(&mut self, clients: &mut Clients<'_>) -> Result<()> {
        for answered in clients.hear::<Booking>()? {
            let wish = self.trips.iter_mut().find(|wish| wish.was_asked_by(answered.command));
            if let (Some(wish), Ok(response)) = (wish, answered.answer) {
                let trip: Trip = response.read().context("a trip in the response")?;
                wish.granted(answered.command, trip.trip_id);
            }
        }
        Ok(())
    }

    async fn insist(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        self.trips.iter_mut().for_each(Wish::lose_patience);
        self.book(clients).await
    }
}
