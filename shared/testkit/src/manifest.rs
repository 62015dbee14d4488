/// The text of a suite's manifest with these services only, for tests that count on them: a service that a team adds to
/// the file is not theirs.
///
/// ```
/// let text = "name = \"trip\"\n\n[[services]]\nname = \"booking\"\n\n[[services]]\nname = \"taxi\"\n";
/// let booking = quintet_testkit::only_services(text, &["booking"]);
/// assert_eq!(booking, "name = \"trip\"\n\n[[services]]\nname = \"booking\"\n");
/// ```
#[must_use]
pub fn only_services(manifest: &str, names: &[&str]) -> String {
    let kept = |table: &&str| {
        let is_named = |name: &&str| table.contains(&format!("\nname = \"{name}\"\n"));
        !table.starts_with("[services]]") || names.iter().any(is_named)
    };
    manifest.split("\n[").filter(kept).collect::<Vec<_>>().join("\n[")
}
