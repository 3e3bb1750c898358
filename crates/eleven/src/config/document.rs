//! The configuration as text: the sample that `init` writes, and `docs/config.md`.

use super::form::Setting;
use super::table::{KEYS, Key, Preset, SECTIONS};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WIDTH: usize = 100;

/// A whole `eleven.toml`: every key with what it is for, set where `values` has it, else commented out with its preset.
pub(crate) fn sample(values: &BTreeMap<&'static str, Setting>) -> String {
    let mut out = String::from(
        "# Configuration of Eleven. Every key there is stands here; one behind a # has its preset.\n\
         # Paths are relative to this file. Unknown keys are refused.\n",
    );
    for section in SECTIONS {
        let _ = write!(out, "\n{}[{}]\n", comment(section.doc), section.name);
        for (key, name) in keys_of(section.name) {
            out.push_str(&comment(key.doc));
            let _ = match (values.get(key.path), preset(&key.preset)) {
                (Some(value), _) => writeln!(out, "{name} = {}", literal(value)),
                (None, Some(value)) => writeln!(out, "# {name} = {}", literal(&value)),
                (None, None) => writeln!(out, "# {name} = {}", absent(key)),
            };
        }
    }
    out
}

/// `docs/config.md`.
pub(crate) fn markdown() -> String {
    let mut out = String::from(
        "# eleven.toml\n\nOne file configures all three corners; each reads only its own section and what they share. `eleven init` \
         writes it with every key. Paths are relative to the file. An unknown key, a value of another form or out of its range \
         stops every command with the line it stands on. This page is generated from the table that the reader uses.\n",
    );
    for section in SECTIONS {
        let _ = write!(
            out,
            "\n## [{}]\n\n{}\n\n| key | must be | preset | what it is for |\n|---|---|---|---|\n",
            section.name, section.doc
        );
        for (key, name) in keys_of(section.name) {
            let shown = match (&key.preset, preset(&key.preset)) {
                (_, Some(value)) => format!("`{}`", literal(&value)),
                (Preset::Unset(words), _) => (*words).to_owned(),
                _ => "none: it must be set".to_owned(),
            };
            let _ = writeln!(out, "| `{name}` | {} | {shown} | {} |", key.form.expected(), key.doc);
        }
    }
    out
}

fn keys_of(section: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    KEYS.iter().filter_map(move |key| match key.path.rsplit_once('.') {
        Some((of, name)) if of == section => Some((key, name)),
        _ => None,
    })
}

/// The preset as a value, where it is one.
pub(crate) fn preset(preset: &Preset) -> Option<Setting> {
    match preset {
        Preset::Required(_) | Preset::Unset(_) => None,
        Preset::Text(text) => Some(Setting::Text((*text).to_owned())),
        Preset::Int(number) => Some(Setting::Int(*number)),
        Preset::List(list) => Some(Setting::List(list.iter().map(|&entry| entry.to_owned()).collect())),
    }
}

fn absent(key: &Key) -> String {
    match key.preset {
        Preset::Required(example) => literal(&Setting::Text(example.to_owned())),
        Preset::Unset(words) => format!("\"\"   # unset: {words}"),
        _ => String::new(),
    }
}

/// A value as TOML writes it. Basic strings with the escapes of JSON are TOML's, too.
pub(crate) fn literal(value: &Setting) -> String {
    let quoted = |text: &str| {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_control() => {
                    let _ = write!(out, "\\u{:04X}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        out + "\""
    };
    match value {
        Setting::Text(text) => quoted(text),
        Setting::Int(number) => number.to_string(),
        Setting::List(list) => format!("[{}]", list.iter().map(|entry| quoted(entry)).collect::<Vec<_>>().join(", ")),
    }
}

fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            let _ = writeln!(out, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    out + &line + "\n"
}
