//! Strangers who connect and say nothing, where few files may be open.

use super::Served;
use crate::world::{Home, Producers};
use eleven_api::audit::Append;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// Files that may be open at once in the process of the ledger.
const FILES: &str = "128";
/// Where it stands in the environment, this is that process.
const CROWDED: &str = "ELEVEN_TEST_CROWDED";
const NAME: &str = "serve::tests::crowded::a_ledger_whose_strangers_take_every_connection_goes_on_writing";

#[test]
fn a_ledger_whose_strangers_take_every_connection_goes_on_writing() {
    if std::env::var_os(CROWDED).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        return runtime.expect("a runtime").block_on(written_past_a_segment());
    }
    let limited = format!("ulimit -n {FILES} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", NAME, "--nocapture"]).env(CROWDED, "1");
    let mut ledger = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut told = BufReader::new(ledger.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let at = told.find_map(|line| Some(line.split_once("http://")?.1.to_owned())).expect("it says where it listens");
    let strangers: Vec<TcpStream> = (0..120).map(|_| TcpStream::connect(&at).expect("in its queue")).collect();
    let mut go = ledger.stdin.take().expect("its input");
    go.write_all(b"go\n").expect("it reads");
    let said: Vec<String> = told.collect();
    assert!(ledger.wait().expect("it ends").success(), "{said:#?}");
    drop(strangers);
}

/// What the process does in which few files may be open.
async fn written_past_a_segment() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    served.post(&producers.set_up()).await.expect("set up");
    writeln!(std::io::stdout(), "served at {}", served.base).expect("it is read");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).expect("told to go on");
    let details = "x".repeat(10_000);
    for _ in 0..8 {
        let mut append = Append::default();
        (0..100).for_each(|_| append.record(&producers.denial(&details)));
        served.post(&append).await.expect("written");
    }
    served.end().await;
}
