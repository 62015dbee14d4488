use crash::Point;

use crate::{Course, Kind, Reaction, reactions};

/// A cell of the matrix: a reaction, and a point that its input passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The service and its input.
    pub reaction: Reaction,
    /// The point at which the service's process dies.
    pub point: Point,
    /// How the point is reached.
    pub reach: Reach,
}

/// How a point is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By an order that takes this course.
    By(Course),
    /// Not at all, for this reason.
    Never(&'static str),
    /// No course is known that reaches it, which is a gap in the matrix.
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
    if let Some(why) =
        unreachable_point(reaction, point).or_else(|| impossible_input(&reaction.input))
    {
        return Reach::Never(why);
    }
    Course::reaching(&reaction.input).map_or(Reach::Unknown, Reach::By)
}

/// Why an input of this kind never passes the point; `None` if it does.
fn unreachable_point(reaction: &Reaction, point: Point) -> Option<&'static str> {
    let is_of_hold = matches!(point, Point::BeforeHold | Point::AfterHold);
    if reaction.kind == Kind::Hold && !is_of_hold {
        return Some("the engine writes a hold by itself: no reaction runs");
    }
    let (only_kind, why) = match point {
        Point::BeforeAttempt | Point::AfterAttempt => {
            (Kind::Outcome, "the input is no answer of a provider")
        }
        Point::BeforeHold | Point::AfterHold => (Kind::Hold, "the input is no hold"),
        Point::AfterResolve | Point::ResolutionTaken => {
            (Kind::Resolution, "the input is no outcome of an operator")
        }
        Point::AlarmTaken => (Kind::Alarm, "the input is no alarm"),
        Point::AfterReply => {
            (Kind::Command, "the input is no command: no client waits for a reply")
        }
        Point::BeforeOffsets | Point::AfterOffsets => {
            (Kind::Event, "the input is no event: it has no offset")
        }
        _ if is_of_emitted_event(point) && !reaction.emits => {
            return Some("the reaction emits nothing");
        }
        _ => return None,
    };
    (reaction.kind != only_kind).then_some(why)
}

/// Why no test order can cause this input; `None` if one can.
fn impossible_input(input: &str) -> Option<&'static str> {
    let is_of_refund = matches!(input, "*refund held" | "*refund resolved");
    is_of_refund.then_some("the sandbox cannot fail the refund of one order only")
}

/// Whether an event that the reaction emitted passes the point, and not the reaction's input.
fn is_of_emitted_event(point: Point) -> bool {
    matches!(point, Point::BeforePublish | Point::AfterPublish | Point::AfterDelete)
}

impl Cell {
    /// The cell's name, which can be the name of a file.
    #[must_use]
    pub fn name(&self) -> String {
        let point: &str = self.point.into();
        let input = self.reaction.input.trim_start_matches(['*', '@']).replace(' ', "_");
        format!("{}-{input}-{point}", self.reaction.service)
    }

    /// How many orders try to reach the cell. Only the last event of an order ends it and emits, and which of the events is the
    /// last depends on timing. So one order would often miss the points of an emitted event.
    pub(crate) fn tries(&self) -> usize {
        if is_of_emitted_event(self.point) { 3 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cell_has_a_distinct_name_and_a_course() {
        let matrix = matrix();
        let names: BTreeSet<String> = matrix.iter().map(Cell::name).collect();
        assert_eq!(names.len(), matrix.len());
        let gaps: Vec<String> =
            matrix.iter().filter(|cell| cell.reach == Reach::Unknown).map(Cell::name).collect();
        assert_eq!(gaps, Vec::<String>::new(), "no course reaches these cells");
    }

    #[test]
    fn every_point_is_reached_by_an_order() {
        let matrix = matrix();
        for point in Point::ALL {
            let reached = matrix
                .iter()
                .any(|cell| cell.point == *point && matches!(cell.reach, Reach::By(_)));
            assert!(reached, "{point:?}");
        }
    }
}
