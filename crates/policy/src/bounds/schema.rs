//! The schema of a bundle: how large it is once Cedar has put every common type in the places that name it, every declaration
//! once for each of its names, and every request together.

use super::require;
use super::tokens::{Token, Tokens, tokens};
use crate::compile::PolicyError;
use eleven_core::limits::{MAX_DEPTH, MAX_SCHEMA, MAX_SCHEMA_SIZE};
use std::collections::HashMap;
use std::iter::Peekable;

/// What a request counts, as many bytes.
const REQUEST: usize = 16;

/// What a schema comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Schema {
    /// All declarations, for each of their names; the requests; the square of the names that are in others.
    pub(super) size: usize,
    /// The largest declaration, for one of its names.
    pub(super) largest: usize,
    /// The largest declaration of entity types, for one of its names.
    pub(super) entity: usize,
    /// The requests that its actions apply to: each type of principal with each of resource.
    pub(super) requests: usize,
}

/// Bytes, without white space and comments, and brackets within each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    size: usize,
    depth: usize,
}

/// One declaration: entities, actions or a common type.
#[derive(Debug, Default)]
struct Declaration<'a> {
    /// The common type that it defines.
    defines: Option<&'a str>,
    /// How many names it gives.
    names: usize,
    /// Whether they are of entities.
    is_entity: bool,
    /// Whether they are in others.
    has_parents: bool,
    principals: usize,
    resources: usize,
    /// As it is written.
    own: Extent,
    /// What may be a common type's name, and how deep it stands.
    named: Vec<(&'a str, usize)>,
}

/// Measures a schema. One that is none is measured as far as Cedar reads it, which is to its first error.
pub(super) fn measure(text: &str) -> Result<Schema, PolicyError> {
    require(text.len() <= MAX_SCHEMA, || format!("its Cedar schema is longer than {} KiB", MAX_SCHEMA / 1024))?;
    let declarations = declarations(text);
    let types = common_types(&declarations)?;
    let (mut schema, mut children) = (Schema::default(), 0usize);
    for declaration in &declarations {
        let extent = declaration.with(&types);
        require(extent.depth <= MAX_DEPTH, too_deep)?;
        let requests = declaration.principals.saturating_mul(declaration.resources);
        schema.largest = schema.largest.max(extent.size);
        if declaration.is_entity {
            schema.entity = schema.entity.max(extent.size);
        }
        schema.requests = schema.requests.saturating_add(requests.saturating_mul(declaration.names));
        schema.size = schema.size.saturating_add(extent.size.saturating_mul(declaration.names));
        if declaration.has_parents {
            children = children.saturating_add(declaration.names);
        }
    }
    let requests = schema.requests.saturating_mul(REQUEST);
    schema.size = schema.size.saturating_add(requests).saturating_add(children.saturating_mul(children));
    require(schema.size <= MAX_SCHEMA_SIZE, || {
        "its Cedar schema is too large with its common types put in place: use fewer of them within each other, fewer types \
         of principals and resources for an action, or fewer names that are in others"
            .into()
    })?;
    Ok(schema)
}

fn too_deep() -> String {
    format!("the types of its Cedar schema stand in each other more than {MAX_DEPTH} deep, or in a circle")
}

/// What each common type comes to. Several of one name, in namespaces, are as large as the largest.
fn common_types<'a>(declarations: &[Declaration<'a>]) -> Result<HashMap<&'a str, Extent>, PolicyError> {
    let mut types = HashMap::new();
    // What is n deep stands still after n rounds.
    for _ in 0..=MAX_DEPTH {
        let mut next: HashMap<&'a str, Extent> = HashMap::new();
        for declaration in declarations {
            if let Some(name) = declaration.defines {
                let extent = declaration.with(&types);
                let known = next.entry(name).or_default();
                *known = Extent { size: known.size.max(extent.size), depth: known.depth.max(extent.depth) };
            }
        }
        if next == types {
            return Ok(types);
        }
        types = next;
    }
    Err(PolicyError::Size(too_deep()))
}

/// The declarations of a schema, in namespaces or not.
fn declarations(text: &str) -> Vec<Declaration<'_>> {
    let mut tokens = tokens(text).peekable();
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign("@") => skip_annotation(&mut tokens),
            Token::Word("namespace") => skip_to(&mut tokens, "{"),
            Token::Word(kind) => found.push(Declaration::read(kind, &mut tokens)),
            // A namespace ends.
            Token::Sign(_) | Token::Text(_) => {}
        }
    }
    found
}

/// `@name` or `@name("text")`.
fn skip_annotation(tokens: &mut Peekable<Tokens<'_>>) {
    tokens.next();
    if tokens.peek() == Some(&Token::Sign("(")) {
        skip_to(tokens, ")");
    }
}

fn skip_to(tokens: &mut Peekable<Tokens<'_>>, sign: &str) {
    while tokens.next().is_some_and(|token| token != Token::Sign(sign)) {}
}

impl<'a> Declaration<'a> {
    /// Reads what follows the first word, to its semicolon.
    fn read(kind: &str, tokens: &mut Peekable<Tokens<'a>>) -> Self {
        let mut declaration = Self { names: 1, is_entity: kind == "entity", ..Self::default() };
        declaration.own.size = kind.len();
        let (mut depth, mut list) = (0usize, None);
        while let Some(token) = tokens.next() {
            declaration.own.size += token.len();
            match token {
                Token::Sign(";") => break,
                Token::Sign("{" | "[" | "(" | "<") => {
                    depth += 1;
                    declaration.own.depth = declaration.own.depth.max(depth);
                }
                Token::Sign("}" | "]" | ")" | ">") => depth = depth.saturating_sub(1),
                Token::Sign(",") if depth == 0 => declaration.names += 1,
                Token::Sign(",") if depth == 1 => list = None,
                Token::Sign(",") => declaration.count(list),
                Token::Word("in") if depth == 0 => declaration.has_parents = true,
                Token::Word(word) if kind == "type" && declaration.defines.is_none() => {
                    declaration.defines = Some(word);
                }
                // The name of a member, not of its type.
                Token::Word(word) if matches!(tokens.peek(), Some(Token::Sign(":" | "?"))) => {
                    if depth == 1 && kind == "action" {
                        list = Some(word);
                        declaration.count(list);
                    }
                }
                Token::Word(word) => declaration.named.push((word, depth)),
                Token::Sign(_) | Token::Text(_) => {}
            }
        }
        declaration
    }

    /// One more of what an action applies to.
    fn count(&mut self, list: Option<&str>) {
        match list {
            Some("principal") => self.principals += 1,
            Some("resource") => self.resources += 1,
            _ => {}
        }
    }

    /// What it comes to with these common types.
    fn with(&self, types: &HashMap<&str, Extent>) -> Extent {
        self.named.iter().fold(self.own, |extent, (name, depth)| match types.get(name) {
            Some(named) => Extent {
                size: extent.size.saturating_add(named.size),
                depth: extent.depth.max(depth.saturating_add(named.depth)),
            },
            None => extent,
        })
    }
}
