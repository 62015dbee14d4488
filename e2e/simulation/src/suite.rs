//! The five services, the broker, the outside world and the customers, played step by step.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use audit::{PaymentState, Snapshot};
use bus::{Bus, Memory, OffsetsReach, Topic};
use clock::{Clock as _, Random as _};
use contracts::{EventType, PRODUCTS_TOPIC};
use engine::{Nobody, Outside};
use inventory::InventoryService;
use jiff::{SignedDuration, Timestamp};
use notification::NotificationService;
use order::{OrderService, Policy};
use payment::PaymentService;
use shipping::ShippingService;

use crate::{
    actor::{Acting, Actor},
    broker::Broker,
    client::Client,
    databases::Databases,
    providers::World,
    schedule::{Action, Setting, Step, Voice},
    stage::Stage,
    story::Line,
};

/// See the module.
pub(crate) struct Suite {
    pub(crate) stage: Arc<Stage>,
    pub(crate) world: Arc<World>,
    pub(crate) client: Client,
    setting: Setting,
    pub(crate) order: Actor<OrderService>,
    pub(crate) inventory: Actor<InventoryService>,
    pub(crate) payment: Actor<PaymentService>,
    shipping: Actor<ShippingService>,
    notification: Actor<NotificationService>,
    begin: Timestamp,
    /// The latest that any clock has shown.
    pub(crate) latest: Timestamp,
    pub(crate) story: Vec<Line>,
}

impl Suite {
    /// On empty databases, with the products listed.
    pub(crate) async fn open(databases: &Databases, setting: Setting) -> Result<Self> {
        databases.clear().await?;
        let stage = Arc::new(Stage::new());
        let memory = Memory::new(Arc::clone(&stage) as _, OffsetsReach::WhenFlushed);
        memory.create_topics(&topics(setting.partitions)).await?;
        let world = Arc::new(World::new(Arc::clone(&stage)));
        let around = || (Arc::clone(&stage), Broker::new(memory.clone(), Arc::clone(&stage)));
        let nobody_of_order: Arc<dyn Outside<OrderService>> = Arc::new(Nobody);
        let gateway = Arc::new(payment::Providers(Arc::clone(&world) as _));
        let carrier = Arc::new(shipping::Providers(Arc::clone(&world) as _));
        let mailer = Arc::new(notification::Providers(Arc::clone(&world) as _));
        let [order, inventory, payment, shipping, notification] = databases.all();
        let order_service = OrderService { policy: POLICY, ..OrderService::default() };
        let mut suite = Self {
            client: Client::new(Arc::clone(&stage)),
            order: Actor::new(order_service, order, around(), nobody_of_order, setting),
            inventory: Actor::new(InventoryService, inventory, around(), Arc::new(Nobody), setting),
            payment: Actor::new(PaymentService, payment, around(), gateway, setting),
            shipping: Actor::new(ShippingService, shipping, around(), carrier, setting),
            notification: Actor::new(NotificationService, notification, around(), mailer, setting),
            begin: stage.now(),
            latest: stage.now(),
            story: Vec::new(),
            stage: Arc::clone(&stage),
            world,
            setting,
        };
        suite.stock_the_shelves().await?;
        Ok(suite)
    }

    /// Before the story begins.
    async fn stock_the_shelves(&mut self) -> Result<()> {
        for nth in 0..usize::try_from(self.setting.products).unwrap_or(1) {
            let (_, list) = self.client.list(nth, 1298);
            self.inventory.send(list).await?;
            let (_, restock) = self.client.restock(nth, self.setting.pieces);
            self.inventory.send(restock).await?;
        }
        while self.inventory.turn(None).await?.is_some() {}
        self.inventory.relay(None).await?;
        while self.order.turn(None).await?.is_some() {}
        self.hear();
        self.stage.take_notes();
        Ok(())
    }

    pub(crate) fn voice(&mut self, voice: Voice) -> &mut dyn Acting {
        match voice {
            Voice::Order => &mut self.order,
            Voice::Inventory => &mut self.inventory,
            Voice::Payment => &mut self.payment,
            Voice::Shipping => &mut self.shipping,
            Voice::Notification => &mut self.notification,
        }
    }

    /// Plays one step and tells it, if anything came of it; whether anything did.
    pub(crate) async fn play(&mut self, nth: usize, step: &Step) -> Result<bool> {
        self.stage.dice.begin(step.seed);
        self.stage.set_trouble(step.trouble);
        let done = self.act(step).await;
        self.stage.set_trouble(None);
        self.hear();
        let (who, came) = done?;
        let notes = self.stage.take_notes();
        let what = match (came, notes.is_empty()) {
            (Some(came), true) => Some(came),
            (Some(came), false) => Some(format!("{came} ({})", notes.join(", "))),
            (None, true) => None,
            (None, false) => Some(notes.join(", ")),
        };
        let did = what.is_some();
        if let Some(what) = what {
            self.tell(nth, who, what);
        }
        self.check(did && step.action == Action::Turn(Voice::Inventory)).await?;
        Ok(did)
    }

    pub(crate) fn tell(&mut self, nth: usize, who: &'static str, what: String) {
        let at = self.stage.now().duration_since(self.begin);
        self.story.push(Line { nth, at: at.as_millis(), who, what });
    }

    async fn act(&mut self, step: &Step) -> Result<(&'static str, Option<String>)> {
        match step.action {
            Action::Turn(voice) | Action::Relay(voice) => {
                self.somebody(step, voice, &Voice::ALL).await
            }
            Action::Effects(voice) => self.somebody(step, voice, &Voice::ASKING).await,
            Action::Alarms(voice)
            | Action::Replay(voice)
            | Action::Offsets(voice)
            | Action::Stop(voice)
            | Action::RetryHeld(voice)
            | Action::Rewind(voice) => self.one(step, voice).await,
            Action::Resolve(voice) => self.resolve(voice).await,
            Action::Withdraw(voice) => Ok(self.allow(voice, false)),
            Action::Grant(voice) => Ok(self.allow(voice, true)),
            Action::Arrive => {
                self.world.arrive();
                Ok(("outside", None))
            }
            Action::Pass(time) => {
                self.stage.clock.advance(time);
                self.latest = self.latest.max(self.stage.now());
                Ok(("clock", Some(format!("{time:?} pass"))))
            }
            Action::SetBack(time) => {
                let back = self.stage.now().saturating_sub(time).unwrap_or(self.begin);
                self.stage.clock.set(back);
                Ok(("clock", Some(format!("is set back by {time:?}"))))
            }
            Action::SetForward(time) => {
                let forward = self.stage.now().saturating_add(time).unwrap_or(self.latest);
                self.stage.clock.set(forward);
                self.latest = self.latest.max(forward);
                Ok(("clock", Some(format!("is set forward by {time:?}"))))
            }
            _ => Ok(("customer", self.ask(step.action).await?)),
        }
    }

    /// The voice's step, or that of the next one that has something to do, as eager as they are.
    async fn somebody(
        &mut self,
        step: &Step,
        voice: Voice,
        all: &[Voice],
    ) -> Result<(&'static str, Option<String>)> {
        let eager = self.stage.dice.below(100) < self.setting.eager;
        let first = all.iter().position(|other| *other == voice).unwrap_or(0);
        for nth in 0..if eager { all.len() } else { 1 } {
            let (who, came) = self.one(step, all[(first + nth) % all.len()]).await?;
            if came.is_some() {
                return Ok((who, came));
            }
        }
        Ok((self.voice(voice).name(), None))
    }

    async fn one(&mut self, step: &Step, voice: Voice) -> Result<(&'static str, Option<String>)> {
        let (voice, broken) = (self.voice(voice), step.broken);
        let came = match step.action {
            Action::Turn(_) => voice.turn(broken).await?,
            Action::Relay(_) => voice.relay(broken).await?,
            Action::Effects(_) => voice.effects(broken).await?,
            Action::Alarms(_) => voice.alarms(broken).await?,
            Action::Replay(_) => voice.replay().await?,
            Action::RetryHeld(_) => voice.retry_held().await?,
            Action::Stop(_) => voice.stop().await?,
            Action::Rewind(_) => voice.rewind().await?,
            _ => voice.offsets().map(|()| None)?,
        };
        Ok((voice.name(), came))
    }

    /// The broker's administrator withdraws a service's rights, or grants them again.
    pub(crate) fn allow(&mut self, voice: Voice, allowed: bool) -> (&'static str, Option<String>) {
        let voice = self.voice(voice);
        (voice.name(), voice.allow(allowed))
    }

    /// An operator reports what the providers know of a service's held requests.
    async fn resolve(&mut self, voice: Voice) -> Result<(&'static str, Option<String>)> {
        let world = Arc::clone(&self.world);
        let told = self.voice(voice).resolve(&world).await?;
        Ok(("operator", told))
    }

    /// What customers, clerk and operator do.
    async fn ask(&mut self, action: Action) -> Result<Option<String>> {
        let products = usize::try_from(self.setting.products).unwrap_or(1);
        let nth = self.stage.dice.index(products);
        let few = 1 + i64::try_from(self.stage.dice.index(4)).unwrap_or(0);
        match action {
            Action::Place => {
                let (told, work) = self.client.place(&self.setting);
                self.order.send(work).await?;
                Ok(Some(told))
            }
            Action::Cancel => {
                let Some((told, work)) = self.client.cancel() else { return Ok(None) };
                self.order.send(work).await?;
                Ok(Some(told))
            }
            Action::Reprice => {
                let (told, work) = self.client.list(nth, 1000 + few);
                self.inventory.send(work).await?;
                Ok(Some(told))
            }
            Action::Restock => {
                let (told, work) = self.client.restock(nth, few);
                self.inventory.send(work).await?;
                Ok(Some(told))
            }
            Action::RetryRefund => self.retry_refunds().await,
            _ => self.repeat().await,
        }
    }

    /// Customers ask again for whatever has no answer.
    pub(crate) async fn repeat(&mut self) -> Result<Option<String>> {
        let mut told = Vec::new();
        for (what, work) in self.client.repeat_orders() {
            told.push(what);
            self.order.send(work).await?;
        }
        for (what, work) in self.client.repeat_deliveries() {
            told.push(what);
            self.inventory.send(work).await?;
        }
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    /// An operator sees to refunds that were refused.
    pub(crate) async fn retry_refunds(&mut self) -> Result<Option<String>> {
        let mut snapshot = Snapshot::default();
        self.payment.rows(&mut snapshot).await?;
        let mut told = Vec::new();
        for row in snapshot.payments.iter().filter(|row| row.state == PaymentState::Attention) {
            let (what, work) = self.client.retry_refund(row.order_id);
            told.push(what);
            self.payment.send(work).await?;
        }
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    /// Whether so little time has passed that no idempotency key was forgotten.
    pub(crate) fn keys_hold(&self) -> bool {
        self.latest.duration_since(self.begin) < WINDOW
    }

    /// The customers hear what was answered.
    fn hear(&mut self) {
        for (cause, answer) in self.order.answers.drain(..) {
            self.client.hear_order(cause, answer);
        }
        for (cause, answer) in self.inventory.answers.drain(..) {
            self.client.hear_inventory(cause, answer);
        }
        self.payment.answers.clear();
    }

    /// What must be so at every moment.
    async fn check(&mut self, stock_too: bool) -> Result<()> {
        self.world.check();
        if stock_too {
            let mut snapshot = Snapshot::default();
            self.inventory.rows(&mut snapshot).await?;
            let report = audit::audit(&snapshot, None);
            for stock in report.invariants.iter().filter(|it| it.number == 4 && !it.holds) {
                self.stage.wrong(crate::verdict::of(stock, &self.stage));
            }
        }
        Ok(())
    }
}

fn topics(partitions: i32) -> Vec<Topic> {
    let topics = EventType::topics().into_iter();
    topics.map(|name| Topic { name, partitions, compacted: name == PRODUCTS_TOPIC }).collect()
}

/// For how long answers are kept under their keys.
const WINDOW: SignedDuration = SignedDuration::from_hours(23);

/// So little that a run comes to these limits now and then.
const POLICY: Policy = Policy {
    paid: Duration::from_mins(10),
    first: Duration::from_mins(15),
    second: Duration::from_mins(15),
    quantity: 1_000,
    open_orders: 4,
};

/// Long enough that claims end and every pause is over, and much shorter than a deadline.
pub(crate) const A_WHILE: Duration = Duration::from_secs(20);
