#![no_main]

eleven_fuzz::guided!("entry");
