use crash::Point;

use crate::{Kind, Reaction, Story, reactions};

/// One place of the matrix: a reaction and a point on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What is reacted to, and by whom.
    pub reaction: Reaction,
    /// Where the process dies.
    pub point: Point,
    /// How the input is made to come there.
    pub reach: Reach,
}

/// Whether and how a point is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By an order that takes this course.
    By(Story),
    /// Never, for this reason.
    Never(&'static str),
    /// Nobody has said how, which is a gap in the matrix.
    Unknown,
}

/// Every reaction of every service at every point.
#[must_use]
pub fn matrix() -> Vec<Cell> {
    let points = |reaction: Reaction| {
        Point::ALL.iter().map(move |&point| Cell {
            reach: reach(&reaction, point),
            reaction: reaction.clone(),
            point,
        })
    };
    reactions().into_iter().flat_map(points).collect()
}

fn reach(reaction: &Reaction, point: Point) -> Reach {
    if let Some(why) = never(reaction, point).or_else(|| beyond(&reaction.input)) {
        return Reach::Never(why);
    }
    Story::reaching(&reaction.input).map_or(Reach::Unknown, Reach::By)
}

/// Why an input never passes the point, if so.
fn never(reaction: &Reaction, point: Point) -> Option<&'static str> {
    let holds = matches!(point, Point::BeforeHold | Point::AfterHold);
    if reaction.kind == Kind::Hold && !holds {
        return Some("a hold is written by itself: there is no reaction to it");
    }
    let (kind, only, why) = match point {
        Point::BeforeAttempt | Point::AfterAttempt => {
            (reaction.kind, Kind::Outcome, "it is no answer of the outside world")
        }
        Point::BeforeHold | Point::AfterHold => (reaction.kind, Kind::Hold, "it is no hold"),
        Point::AfterResolve | Point::ResolutionTaken => {
            (reaction.kind, Kind::Resolution, "it is no outcome of an operator")
        }
        Point::AlarmTaken => (reaction.kind, Kind::Alarm, "it is no alarm"),
        Point::AfterReply => {
            (reaction.kind, Kind::Command, "it is no command: nobody waits for a reply")
        }
        Point::BeforeOffsets | Point::AfterOffsets => {
            (reaction.kind, Kind::Event, "it is no event: it has no offset")
        }
        _ if follows(point) && !reaction.emits => return Some("the reaction emits nothing"),
        _ => return None,
    };
    (kind != only).then_some(why)
}

/// Whether no order alone can bring this input about.
fn beyond(input: &str) -> Option<&'static str> {
    let refund = matches!(input, "*refund held" | "*refund resolved");
    refund.then_some("the sandbox does not fail the refund of one order alone")
}

/// Whether the point lies on the way of an event that the reaction emitted.
fn follows(point: Point) -> bool {
    matches!(point, Point::BeforePublish | Point::AfterPublish | Point::AfterDelete)
}

impl Cell {
    /// Its name, fit for a file.
    #[must_use]
    pub fn name(&self) -> String {
        let point: &str = self.point.into();
        let input = self.reaction.input.trim_start_matches(['*', '@']).replace(' ', "_");
        format!("{}-{input}-{point}", self.reaction.service)
    }

    /// How many orders try to reach it. Which of an order's last events ends it, and so emits, is
    /// up to their order.
    pub(crate) fn tries(&self) -> usize {
        if follows(self.point) { 3 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cell_has_a_name_of_its_own_and_a_way_to_it() {
        let matrix = matrix();
        let names: BTreeSet<String> = matrix.iter().map(Cell::name).collect();
        assert_eq!(names.len(), matrix.len());
        let gaps: Vec<String> =
            matrix.iter().filter(|cell| cell.reach == Reach::Unknown).map(Cell::name).collect();
        assert_eq!(gaps, Vec::<String>::new(), "no story reaches these");
    }

    #[test]
    fn every_point_is_reached_by_somebody() {
        let matrix = matrix();
        for point in Point::ALL {
            let reached = matrix
                .iter()
                .any(|cell| cell.point == *point && matches!(cell.reach, Reach::By(_)));
            assert!(reached, "{point:?}");
        }
    }
}
