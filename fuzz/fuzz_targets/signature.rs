#![no_main]

eleven_fuzz::guided!("signature");
