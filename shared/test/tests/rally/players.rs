//! The customers of the saga: players who want ping to serve.

use anyhow::Result;
use async_trait::async_trait;
use clock::uuid_v7;
use quintet_test::simulation::{Actions, Clients, Weighted, Wish, Workload};

use crate::{
    contract::RallyId,
    ping::{Ping, Serve},
};

/// The players, with the serves that they want.
#[derive(Default)]
pub struct Players {
    serves: Vec<Wish<RallyId, RallyId>>,
}

impl Players {
    /// How many serves were accepted.
    pub fn accepted(&self) -> usize {
        self.serves.iter().map(|wish| wish.answers().len()).sum()
    }

    /// Sends a command for each serve without an answer. Returns their names.
    async fn serve(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for wish in self.serves.iter_mut().filter(|wish| wish.is_open()) {
            let name = format!("serve {}", wish.name);
            let command =
                clients.command::<Ping>(&name, Serve { rally: wish.body }, Some(wish.key()));
            wish.asked(command.input.cause);
            clients.send(command).await?;
            names.push(name);
        }
        Ok(names)
    }
}

#[async_trait]
impl Workload for Players {
    fn actions(&self) -> Actions {
        let again = Weighted { weight: 1, name: "again" };
        Actions { opening: "serve", openings: 3, others: vec![again] }
    }

    async fn act(
        &mut self,
        action: &'static str,
        clients: &mut Clients<'_>,
    ) -> Result<Option<String>> {
        if action == "serve" {
            let environment = clients.environment();
            let rally = RallyId::from(uuid_v7(environment, environment));
            let name = ["A", "B", "C", "D"][self.serves.len().min(3)];
            environment.call(rally.uuid(), name);
            self.serves.push(Wish::new(name, rally));
        }
        let names = self.serve(clients).await?;
        Ok((!names.is_empty()).then(|| names.join(", ")))
    }

    fn hear(&mut self, clients: &mut Clients<'_>) -> Result<()> {
        for answered in clients.hear::<Ping>()? {
            let wish = self.serves.iter_mut().find(|wish| wish.was_asked_by(answered.command));
            if let (Some(wish), Ok(accepted)) = (wish, answered.answer) {
                wish.granted(answered.command, accepted.0);
            }
        }
        Ok(())
    }

    async fn insist(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        self.serves.iter_mut().for_each(Wish::lose_patience);
        self.serve(clients).await
    }
}
