#![no_main]

eleven_fuzz::guided!("checkpoint");
