#![no_main]

eleven_fuzz::guided!("policy");
