//! Points at which this process dies if the crash matrix has armed them. No deployed program has them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    process::abort,
    sync::{LazyLock, Mutex, PoisonError},
};

use bus::Position;
use crash::{Armed, Folder, Point, command_name};
use event::{Contract as _, EffectId, EventId};
use uuid::Uuid;

use crate::{Effect, Origin, Participant, Reaction, What, Work, work::after};

/// Rows of the outbox, each with its events.
type RowEvents = BTreeMap<EventId, Vec<EventId>>;

static DEATHS: LazyLock<Option<Mutex<Deaths>>> =
    LazyLock::new(|| Folder::of_environment().map(|folder| Mutex::new(Deaths::armed_in(folder))));

/// Called when the process reaches a point: it dies if a cell of the crash matrix is armed there. All cells that fire
/// at the point fire together.
pub(crate) fn pass(point: Point, what: &(impl Passing + ?Sized)) {
    let Some(deaths) = &*DEATHS else { return };
    // Holding the lock until the process dies keeps all other threads from going on.
    let mut deaths = deaths.lock().unwrap_or_else(PoisonError::into_inner);
    let fired = what.fires(point, &mut deaths);
    if fired.is_empty() {
        return;
    }
    for (nth, mark) in fired {
        let cell = &deaths.cells[nth].armed.cell;
        deaths.folder.fired(cell, &mark).expect("the folder is writable");
    }
    abort();
}

/// A value with which the process can reach a point.
pub(crate) trait Passing {
    /// The cells that this value fires at the point, each with its mark.
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)>;
}

/// The cells that are armed in this process, and what is known of their inputs.
pub(crate) struct Deaths {
    folder: Folder,
    cells: Vec<Cell>,
    /// The requests to the outside world, by effect id. An outcome does not name its request.
    asked: HashMap<Uuid, Asked>,
    /// Applied events that cells mean: the cell, its mark, and the position that is to be stored.
    applied: Vec<(usize, String, Position)>,
}

struct Cell {
    armed: Armed,
    /// The ids of the events that its reaction emitted, each with the mark of the input.
    events: Vec<(Uuid, String)>,
}

impl Deaths {
    fn armed_in(folder: Folder) -> Self {
        let cells = folder.armed().expect("the armed cells can be read").into_iter();
        let cell = |armed: Armed| {
            let events = folder.events(&armed.cell).expect("a cell's events can be read");
            Cell { armed, events }
        };
        let cells = cells.map(cell).collect();
        Self { folder, cells, asked: HashMap::new(), applied: Vec::new() }
    }

    /// The armed cells that mean this input of a service, each with its mark.
    fn meant<P: Participant>(&self, work: &Work<P>) -> Vec<(usize, String)> {
        let of_service = |cell: &Cell| cell.armed.service == P::NAME;
        if !self.cells.iter().any(of_service) {
            return Vec::new();
        }
        let (kind, subject) = self.describe(work);
        let cells = self.cells.iter().enumerate();
        let cells = cells.filter(|(_, cell)| of_service(cell) && cell.armed.input == kind);
        let mark =
            |cell: &Cell| cell.armed.marks.iter().find(|mark| subject.contains(*mark)).cloned();
        cells.filter_map(|(nth, cell)| Some((nth, mark(cell)?))).collect()
    }

    /// An input's kind, and the text in which marks are searched.
    fn describe<P: Participant>(&self, work: &Work<P>) -> (String, String) {
        match &work.input.what {
            What::Event(event) => {
                let subject = event.aggregate().map(|aggregate| aggregate.to_string());
                let kind = event.event_type().to_string();
                (kind, subject.unwrap_or_else(|| format!("{event:?}")))
            }
            What::Command(command) => (command_name(command), format!("{command:?}")),
            What::Outcome(aggregate, _) => {
                let asked = self.asked.get(&work.input.cause);
                (asked.map(|asked| asked.kind.clone()).unwrap_or_default(), aggregate.to_string())
            }
            What::Alarm(aggregate, alarm) => {
                let name: &'static str = (*alarm).into();
                (format!("@{name}"), aggregate.to_string())
            }
        }
    }

    fn at(&self, point: Point, meant: Vec<(usize, String)>) -> Vec<(usize, String)> {
        meant.into_iter().filter(|(nth, _)| self.cells[*nth].armed.point == point).collect()
    }

    /// The cells at this point whose reactions emitted one of these events.
    fn following<'a>(
        &self,
        point: Point,
        ids: impl IntoIterator<Item = &'a EventId>,
    ) -> Vec<(usize, String)> {
        let ids: BTreeSet<Uuid> = ids.into_iter().map(|id| (*id).into()).collect();
        let cells = self.cells.iter().enumerate().filter(|(_, cell)| cell.armed.point == point);
        let event = |cell: &Cell| cell.events.iter().find(|(id, _)| ids.contains(id)).cloned();
        cells.filter_map(|(nth, cell)| Some((nth, event(cell)?.1))).collect()
    }
}

/// The inputs of a batch.
impl<P: Participant> Passing for [Work<P>] {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let meant = self.iter().flat_map(|work| deaths.meant(work)).collect();
        deaths.at(point, meant)
    }
}

/// An input with its finished reaction.
impl<P: Participant> Passing for (&Work<P>, &Reaction<P>) {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let (work, out) = self;
        let meant = deaths.meant(work);
        for (nth, mark) in &meant {
            let cell = &mut deaths.cells[*nth];
            let emitted = out.emitted().map(|(id, _)| (Uuid::from(id), mark.clone()));
            let before = cell.events.len();
            let new: Vec<_> = emitted.filter(|event| !cell.events.contains(event)).collect();
            cell.events.extend(new);
            if cell.events.len() > before {
                let name = &cell.armed.cell;
                deaths.folder.emitted(name, &cell.events).expect("the folder is writable");
            }
        }
        deaths.at(point, meant)
    }
}

/// A committed batch, and the events whose outbox rows it deleted.
impl<P: Participant> Passing for (&[Work<P>], &RowEvents) {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let (batch, deleted) = self;
        for work in *batch {
            if let Origin::Event(record) = &work.origin {
                for (nth, mark) in deaths.meant(work) {
                    deaths.applied.push((nth, mark, after(record)));
                }
            }
        }
        let mut fired = batch.fires(point, deaths);
        fired.extend(deaths.following(Point::AfterDelete, deleted.values().flatten()));
        fired
    }
}

/// Positions to be stored, or stored.
impl Passing for [Position] {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let covers = |of: &Position| {
            self.iter().any(|stored| {
                (&stored.topic, stored.partition) == (&of.topic, of.partition)
                    && of.next <= stored.next
            })
        };
        let applied = deaths.applied.iter().filter(|(_, _, position)| covers(position));
        let meant = applied.map(|(nth, mark, _)| (*nth, mark.clone())).collect();
        deaths.at(point, meant)
    }
}

/// Events on their way to the broker.
impl Passing for [EventId] {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        deaths.following(point, self)
    }
}

/// Events whose outbox rows are deleted.
impl Passing for RowEvents {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        deaths.following(point, self.values().flatten())
    }
}

/// A request to the outside world.
pub(crate) struct Asked {
    service: &'static str,
    kind: String,
    aggregate: String,
}

impl Asked {
    pub(crate) fn of<P: Participant>(effect: &P::Effect) -> Self {
        let (kind, aggregate) = (effect.kind(), effect.aggregate().to_string());
        Self { service: P::NAME, kind: format!("*{kind}"), aggregate }
    }

    /// The cells at this point that mean this request: its answer if `what` is empty, otherwise what that suffix names,
    /// such as [`RESOLVED`].
    fn cells(&self, point: Point, what: &str, deaths: &Deaths) -> Vec<(usize, String)> {
        let input = format!("{}{what}", self.kind);
        let cells = deaths.cells.iter().enumerate().filter(|(_, cell)| {
            let Armed { service, input: of, point: at, marks, .. } = &cell.armed;
            *service == self.service
                && *of == input
                && *at == point
                && marks.contains(&self.aggregate)
        });
        cells.map(|(nth, _)| (nth, self.aggregate.clone())).collect()
    }
}

/// An attempt at an effect.
pub(crate) struct Attempted<'a, P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) effect: &'a P::Effect,
}

impl<P: Participant> Passing for Attempted<'_, P> {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let asked = Asked::of::<P>(self.effect);
        let fired = asked.cells(point, "", deaths);
        deaths.asked.insert(self.id.into(), asked);
        fired
    }
}

/// Requests that are held from now on.
pub(crate) struct Held(pub(crate) Vec<EffectId>);

impl Passing for Held {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let asked = self.0.iter().filter_map(|id| deaths.asked.get(&(*id).into()));
        asked.flat_map(|asked| asked.cells(point, " held", deaths)).collect()
    }
}

/// An operator reported the outcome of this request.
impl Passing for Asked {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        self.cells(point, RESOLVED, deaths)
    }
}

/// An effect whose outcome an operator reported, about to be applied.
pub(crate) struct Resolved<'a, P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) effect: &'a P::Effect,
}

impl<P: Participant> Passing for Resolved<'_, P> {
    fn fires(&self, point: Point, deaths: &mut Deaths) -> Vec<(usize, String)> {
        let Asked { service, kind, aggregate } = Asked::of::<P>(self.effect);
        let asked = Asked { service, kind: kind + RESOLVED, aggregate };
        let fired = asked.cells(point, "", deaths);
        deaths.asked.insert(self.id.into(), asked);
        fired
    }
}

/// The suffix that distinguishes an operator's outcome from the provider's answer.
const RESOLVED: &str = " resolved";
