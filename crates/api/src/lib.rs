//! What crosses a process boundary between the corners, and the edge they share.
//!
//! The wire types of PROTOCOL 12, one module a service: [`govern`] (gateway, policy and authorization), [`identity`],
//! [`admission`] (runtime and attest), [`audit`], [`routes`] (all paths, the proof and registry surfaces among them).
//! Beside them what every corner needs at its edge and none owns: [`edge`] (time and randomness enter here, as values),
//! [`keyring`] (the keys that a process holds, and which of them it uses),
//! [`token`] (identity tokens), [`secret`] (what callers and auditors hold), [`header`] (what is read of a request's headers), [`reader`] (who reads), [`problem`] (refusals as RFC 9457 documents), [`words`] (what each means), [`answer`] (what is read of others), [`serve`], [`public`],
//! [`client`] and [`pieces`] (HTTP), [`tasks`] (those that a corner can't do without).
//!
//! **Invariant**: nothing here decides. These types are read strictly, unknown members refused, and handed on.

pub mod admission;
pub mod answer;
pub mod audit;
pub mod client;
pub mod disclosure;
pub mod edge;
pub mod govern;
pub mod header;
pub mod identity;
pub mod keyring;
pub mod pieces;
pub mod problem;
pub mod public;
pub mod reader;
pub mod routes;
pub mod secret;
pub mod serve;
pub mod tasks;
pub mod token;
pub mod words;
