//! The rows of the terminal: a time, the name of a process in the colour of its component, and a text.

use crate::component::{Component, Member};
use crate::ui::COLUMNS;
use console::{Color, Style};
use jiff::Timestamp;

/// Red is left out, as it would look like an error.
const COLOURS: [Color; 5] = [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue];

/// Gives each component of a suite a colour, by its place in the manifest, and a column that holds the longest name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    components: Vec<Component>,
    width: usize,
}

impl Palette {
    pub(crate) fn of(components: impl Iterator<Item = Component>) -> Self {
        let components: Vec<Component> = components.collect();
        let width = components.iter().map(|component| component.name().len()).max();
        Self { components, width: width.unwrap_or_default() }
    }

    /// Makes the column at least so wide, such as for the name of a replica.
    pub(crate) fn widened(mut self, width: usize) -> Self {
        self.width = self.width.max(width);
        self
    }

    /// The name of the process, padded to the column, and coloured if `coloured` is true.
    pub(crate) fn name(&self, process: Member, coloured: bool) -> String {
        let name = format!("{:1$}", process.to_string(), self.width);
        self.style(process.component).force_styling(coloured).apply_to(name).to_string()
    }

    /// A row such as `23:18:33 payment      started (pid 7)`, cut to the width of all output. Its time is UTC, as in logs.
    pub(crate) fn row(&self, at: Timestamp, process: Member, text: &str, coloured: bool) -> String {
        let time = at.strftime("%H:%M:%S").to_string();
        let room = COLUMNS.saturating_sub(time.len() + self.width + 2);
        format!("{time} {} {}", self.name(process, coloured), cut(text, room))
    }

    /// A component that is not of the suite, such as a service that was added by hand, has the first bright colour or one
    /// behind it, by the length of its name.
    fn style(&self, component: Component) -> Style {
        let place = self.components.iter().position(|known| *known == component);
        let place = place.unwrap_or(COLOURS.len() + component.name().len() % COLOURS.len());
        let style = Style::new().fg(COLOURS[place % COLOURS.len()]);
        if (place / COLOURS.len()).is_multiple_of(2) { style } else { style.bright() }
    }
}

/// The text, with an ellipsis for what is beyond so many characters.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let begin: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

/// The text with a `?` for each control character, as escape sequences of others must not control the user's terminal.
pub(crate) fn printable(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() && letter != '\t' { '?' } else { letter };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn palette() -> Palette {
        Palette::of(["booking", "flights", "airline"].map(Component::named).into_iter())
    }

    #[test]
    fn a_row_has_the_time_the_process_in_its_column_and_the_text() {
        let at: Timestamp = "2026-01-01T09:08:07.5Z".parse().unwrap();
        let flights = Member { component: Component::named("flights"), nth: 1 };
        let row = |text: &str, coloured| palette().widened(9).row(at, flights, text, coloured);
        assert_eq!(row("stopped", false), "09:08:07 flights-2 stopped");
        assert_eq!(row("stopped", true), "09:08:07 \u{1b}[33mflights-2\u{1b}[0m stopped");
        assert_eq!(row(&"x".repeat(200), false).chars().count(), COLUMNS);
    }

    #[test]
    fn each_component_has_a_colour_that_stays() {
        let names = |palette: &Palette| {
            let components = palette.components.iter();
            components.map(|name| palette.name((*name).into(), true)).collect::<Vec<_>>()
        };
        assert_eq!(names(&palette()), names(&palette()));
        let ten: Vec<String> = (0..10).map(|nth| format!("s{nth}")).collect();
        let palette = Palette::of(ten.iter().map(|name| Component::named(name)));
        let escape = |name: String| name.split_once('m').unwrap().0.to_owned();
        let escapes: BTreeSet<String> = names(&palette).into_iter().map(escape).collect();
        assert_eq!(escapes.len(), 10);
        assert_eq!(palette.name(Component::named("unknown").into(), false), "unknown");
    }

    #[test]
    fn a_text_is_cut_by_characters_and_cannot_control_the_terminal() {
        assert_eq!((cut("größe", 5), cut("größer", 5)), ("größe".to_owned(), "größ…".to_owned()));
        assert_eq!(printable("a\x1b[2Jb\tc\r"), "a?[2Jb\tc?");
    }
}
