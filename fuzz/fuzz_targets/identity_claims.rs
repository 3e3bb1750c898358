#![no_main]

eleven_fuzz::guided!("identity_claims");
