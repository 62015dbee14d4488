use quintet::reqwest::{Client, StatusCode, Url};

/// A request of printer to the press.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Print {
    pub ticket_id: TicketId,
    pub seat: String,
}

/// The answer of the press.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Barcode(pub String);

impl Effect<TicketId> for Print {
    fn aggregate(&self) -> TicketId {
        self.ticket_id
    }

    fn name(&self) -> String {
        "print".to_owned()
    }
}

/// The access to the press.
pub struct Press {
    client: Client,
    url: Url,
}

#[async_trait]
impl Outside<Printer> for Press {
    async fn attempt(&self, id: EffectId, print: Print, trace: Trace) -> Attempt<Barcode> {
        let request = self.client.post(self.url.clone()).json(&print);
        quintet::answer(request, id, &trace, |_, barcode| Some(barcode), &[StatusCode::OK]).await
    }
}
