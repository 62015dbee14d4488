//! Manifests for tests.

/// Reduces the text of a suite's manifest to these services. A test that expects exactly these then still passes when a
/// service is added to the file.
///
/// ```
/// let text = "name = \"trip\"\n\n[[services]]\nname = \"booking\"\n\n[[services]]\nname = \"taxi\"\n";
/// let booking = quintet_testkit::only_services(text, &["booking"]);
/// assert_eq!(booking, "name = \"trip\"\n\n[[services]]\nname = \"booking\"\n");
/// ```
#[must_use]
pub fn only_services(manifest: &str, names: &[&str]) -> String {
    let is_wanted = |table: &&str| {
        let is_named = |name: &&str| table.contains(&format!("\nname = \"{name}\"\n"));
        !table.starts_with("[services]]") || names.iter().any(is_named)
    };
    manifest.split("\n[").filter(is_wanted).collect::<Vec<_>>().join("\n[")
}
