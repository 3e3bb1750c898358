#![no_main]

eleven_fuzz::guided!("admission_case");
