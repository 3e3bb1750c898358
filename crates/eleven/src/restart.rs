//! `eleven <corner> restart`: a planned restart of a corner that runs.
//!
//! The corner is told by SIGHUP to make place. Whoever supervises it keeps its listening socket open and starts the next
//! process; who calls meanwhile waits, within its deadline. What can be known to fail is refused before it is told.

use crate::call;
use crate::config::{self, Config};
use crate::corner::{self, SupervisedBy, Which};
use crate::health::{self, Health};
use crate::output::{Failure, Output, Paint, aside, shown};
use eleven_api::client;
use eleven_core::encoding::{Object, Value};
use eleven_store::Folder;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long the next process may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long there may be no process where one makes place for the next this moment.
const BETWEEN: Duration = Duration::from_secs(2);
/// How long a point may take to be rid of what has it deny every call, before it is said to be up and to do so: it is over, mostly,
/// once the ledger has answered.
const SETTLES: Duration = Duration::from_secs(5);
/// How long a connection to a listener of this machine may take.
const CONNECT: Duration = Duration::from_secs(1);
/// After how long it is said what is waited for.
const SILENT: Duration = Duration::from_secs(2);
/// Where systemd puts what it hands to a unit.
const CREDENTIALS: &str = "/run/credentials";
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Restarts a corner and waits until it is ready again.
///
/// # Errors
/// Where it does not run, is not to be restarted by this configuration, or does not come back.
pub(crate) fn run(which: Which, config: &Config, output: Output) -> Result<(), Failure> {
    let name = which.name();
    let Some(before) = running(which, config)? else {
        let start = || format!("the {name} does not run: start it with `eleven up` or `eleven {name} serve`");
        return Err(Failure::new(backing_off(which, config).unwrap_or_else(start)));
    };
    check_listener(which, which.of(config).listen, before)?;
    corner::check_start(which, config)
        .map_err(|failure| failure.while_("nothing was done, since the next process would not start"))?;
    if let Health::Untrusted(why) = call::wait(health::of(which, config))?
        && !next_is_trusted(which, config)?
    {
        return Err(Failure::new(unseen(which, which.of(config), &why)));
    }
    let began = Instant::now();
    let process = i32::try_from(before).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Failure::new(format!("{before} is no process")))?;
    match rustix::process::kill_process(process, Signal::HUP) {
        // Somebody else told it a moment ago.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => return Err(Failure::new(format!("process {before} could not be told: {error}: whose is it?"))),
    }
    let (after, denies) = comes_back(which, config, before, began)?;
    say(which, (before, after), began.elapsed(), denies.as_deref(), output);
    Ok(())
}

/// What is said where neither this process nor the next shows a certificate that is trusted here. One that a unit hands over stays what it
/// was until that unit starts its next process: what lies where the unit has it from is not seen here.
fn unseen(which: Which, corner: &config::Corner, why: &str) -> String {
    let handed = corner.tls.as_ref().is_some_and(|(certificate, _)| certificate.starts_with(CREDENTIALS));
    let next = if handed {
        format!(
            "; where the one that its unit hands over was renewed, `systemctl restart eleven-{}` takes it",
            which.name()
        )
    } else {
        String::new()
    };
    format!("{why}; nothing was done, since its coming back could not be seen{next}")
}

/// Whether the next process shows a certificate that is trusted here: one that lies there by now may be what it is restarted for.
fn next_is_trusted(which: Which, config: &Config) -> Result<bool, Failure> {
    let corner = which.of(config);
    match corner::next_tls(corner)? {
        Some(tls) => call::wait(client::trusts(&corner.url, &tls)),
        None => Ok(false),
    }
}

/// The process that holds the corner's folder, or takes it within a moment; `None` where none does.
fn running(which: Which, config: &Config) -> Result<Option<u32>, Failure> {
    let (data, began) = (&which.of(config).data, Instant::now());
    loop {
        let holder = Folder::holder(data)?;
        if holder.is_some() || began.elapsed() > BETWEEN {
            return Ok(holder);
        }
        std::thread::sleep(LOOK);
    }
}

/// What is said of a corner that does not run, and whose supervisor does, which another corner's process tells.
fn backing_off(which: Which, config: &Config) -> Option<String> {
    let others = Which::ALL.into_iter().filter(|other| *other != which);
    let mut holders = others.filter_map(|other| Folder::holder(&other.of(config).data).ok().flatten());
    let supervisor = holders.find_map(|holder| match corner::supervisor_of(holder) {
        SupervisedBy::Process(supervisor) => Some(supervisor),
        SupervisedBy::Nobody | SupervisedBy::Gone | SupervisedBy::Unseen => None,
    })?;
    let name = which.name();
    Some(format!(
        "the {name} does not run at this moment, and its supervisor does, `eleven up` as process {supervisor}: what that says \
         tells why; it tries again within ten seconds, unless it said that the {name} stays down"
    ))
}

/// The next process gets the socket of this one, so a new address needs more than a restart.
fn check_listener(which: Which, listen: SocketAddr, process: u32) -> Result<(), Failure> {
    let nobody = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if listen.port() == 0 || !TcpStream::connect_timeout(&listen, CONNECT).is_err_and(nobody) {
        return Ok(());
    }
    let name = which.name();
    Err(Failure::usage(format!(
        "nobody listens on {listen}, and the {name} runs as process {process}: it still starts, or was started with another \
         `{name}.listen`. In the first case wait and try again. In the second, since a restart keeps the socket, stop `eleven \
         up` or the units and start them again; nothing was done"
    )))
}

/// Waits until the next process holds the folder and is ready; its number, and why it denies every call where that is not its own
/// matter.
fn comes_back(which: Which, config: &Config, before: u32, began: Instant) -> Result<(u32, Option<String>), Failure> {
    let mut told = false;
    loop {
        let holder = Folder::holder(&which.of(config).data)?;
        let next = holder.filter(|pid| *pid != before);
        let health = match next {
            Some(_) => call::wait(health::of(which, config))?,
            None => Health::Nobody,
        };
        match (next, &health) {
            (Some(pid), Health::Ours(said)) => {
                if said.is_up() || (said.only_denies() && began.elapsed() > SETTLES) {
                    return Ok((pid, said.denies().map(str::to_owned)));
                }
                if let Some(why) = said.unapproved() {
                    let what = format!("process {pid} is in the place of {before}, and every call is refused: {why}");
                    return Err(Failure::new(what));
                }
            }
            (Some(pid), Health::Untrusted(why)) => {
                let what = format!("process {pid} is in the place of {before}; whether it is ready is not seen: {why}");
                return Err(Failure::new(what));
            }
            _ => {}
        }
        if began.elapsed() > SILENT && !std::mem::replace(&mut told, true) {
            aside(&awaited(which, before, holder));
        }
        if began.elapsed() > PATIENCE {
            let holds = Folder::holder(&which.of(config).data)? == Some(before);
            return Err(Failure::new(if holds { hangs(before) } else { unready(before, next, &health) }));
        }
        std::thread::sleep(LOOK);
    }
}

/// What is waited for, by who holds the folder.
fn awaited(which: Which, before: u32, holder: Option<u32>) -> String {
    let (name, seconds) = (which.name(), PATIENCE.as_secs());
    match holder {
        Some(pid) if pid == before => format!("waiting up to {seconds} s for process {before} to make place"),
        Some(pid) => format!("process {pid} is in the place of {before}: waiting up to {seconds} s until it is ready"),
        None => format!(
            "process {before} made place: waiting up to {seconds} s for the next one; where none comes, what `eleven up` or the \
             {name}'s unit says tells why"
        ),
    }
}

/// A process that was told, and does not let go of its folder.
fn hangs(before: u32) -> String {
    format!(
        "process {before} holds the folder, and does not make place: if it hangs, end it by `kill -9 {before}`; its supervisor \
         starts the next"
    )
}

/// A process that made place, and no other that is ready: what is known of the next one.
fn unready(before: u32, next: Option<u32>, health: &Health) -> String {
    let Some(pid) = next else {
        return format!("process {before} made place, and no other is there: is it supervised? look at its log");
    };
    let why = match health {
        Health::Ours(said) => {
            said.denies().or_else(|| said.lacks()).unwrap_or("it says that it is not ready").to_owned()
        }
        Health::Other(who) => format!("{who} answers at its URL"),
        Health::Untrusted(why) => why.clone(),
        Health::Nobody => "it does not answer".to_owned(),
    };
    format!("process {pid} is in the place of {before} and not ready, {why}: `eleven doctor` tells more, and its log")
}

fn say(which: Which, (before, after): (u32, u32), took: Duration, denies: Option<&str>, output: Output) {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let value = || {
        let object = Object::new().with("corner", which.name()).with("before", before).with("after", after);
        Value::Object(object.with_some("ready_ms", denies.is_none().then_some(ms)).with_some("denies", denies))
    };
    let text = || {
        let (done, name) = (output.paint(Paint::Good, "restarted:"), which.name());
        let place = format!("after {ms} ms, process {after} in the place of {before}");
        match denies {
            None => format!("{done} the {name} is ready again {place}"),
            Some(why) => format!("{done} the {name} is up again {place}, and every call is refused: {}", shown(why)),
        }
    };
    output.either(value, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Said;
    use eleven_core::encoding::parse;

    #[test]
    fn where_a_unit_hands_the_certificate_over_the_unit_is_what_takes_a_new_one() {
        let said = |certificate: &str| {
            let corner = config::Corner {
                listen: "127.0.0.1:1111".parse().expect("an address"),
                url: "https://ledger.example:1111".to_owned(),
                data: "/var/lib/eleven-ledger/data".into(),
                passphrase_file: "/etc/eleven/ledger.pass".into(),
                tls: Some((certificate.into(), "/etc/eleven/ledger.tls.key".into())),
            };
            unseen(Which::Ledger, &corner, "it has ended")
        };
        let done = "it has ended; nothing was done, since its coming back could not be seen";
        assert_eq!(said("/etc/eleven/ledger.tls.pem"), done);
        let handed = said("/run/credentials/eleven-ledger.service/tls.pem");
        assert!(handed.starts_with(done) && handed.contains("`systemctl restart eleven-ledger`"), "{handed}");
    }

    #[test]
    fn of_a_next_process_that_is_not_ready_is_said_what_is_known() {
        assert!(unready(7, None, &Health::Nobody).starts_with("process 7 made place, and no other is there"));
        let ours =
            |said: &str| Health::Ours(Said { ready: false, value: parse(said.as_bytes()).expect("what it says") });
        for (health, why) in [
            (ours(r#"{"denies":"the audit bound is over","fresh":false}"#), "the audit bound is over"),
            (ours(r#"{"ledger":"silent"}"#), "it hears nothing from the ledger"),
            (ours("{}"), "it says that it is not ready"),
            (Health::Other("the ledger of d2".to_owned()), "the ledger of d2 answers at its URL"),
            (Health::Untrusted("nobody trusts it".to_owned()), "nobody trusts it"),
            (Health::Nobody, "it does not answer"),
        ] {
            let said = unready(7, Some(8), &health);
            let told = format!("process 8 is in the place of 7 and not ready, {why}: `eleven doctor`");
            assert!(said.starts_with(&told), "{said}");
        }
    }
}
