//! The witness without threads, sockets and a folder: whoever holds it says what happens when. For simulations; what judges,
//! keeps and recovers is the same as in [`super::WitnessServer`].

use super::keep::{Answer, Keeper, Request};
use super::serve::WitnessError;
use super::state::{Log, Refusal};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_store::{GroupOptions, SegmentLog, SteppedCommit};
use std::sync::{Arc, mpsc};

/// A witness that is driven by hand.
pub struct SteppedWitness {
    name: String,
    logs: Vec<Log>,
    signer: Arc<dyn Signer>,
    commit: SteppedCommit<SegmentLog, Keeper>,
    /// The size of the last checkpoint that was cosigned, of whichever log.
    size: u64,
}

impl SteppedWitness {
    /// A witness named `name` on a log of its own, from which it takes back what it has seen.
    ///
    /// # Errors
    /// [`WitnessError::Replay`] where the log holds what no witness wrote, or can't be read.
    pub fn open(name: String, logs: Vec<Log>, log: SegmentLog, signer: Arc<dyn Signer>) -> Result<Self, WitnessError> {
        let keeper = Keeper::restore(&log).map_err(WitnessError::Replay)?;
        let size = keeper.size();
        let commit = SteppedCommit::new(log, keeper, GroupOptions::default());
        Ok(Self { name, logs, signer, commit, size })
    }

    /// `POST /add-checkpoint` with this body, received at `now`: the line of the cosignature, or the refusal.
    ///
    /// # Errors
    /// [`WitnessError::Commit`] where what has to be kept is not durable: there is no answer, and the process must stop.
    pub fn add_checkpoint(&mut self, body: &[u8], now: Time) -> Result<Result<String, Refusal>, WitnessError> {
        let signed = match Log::asked(&self.logs, body) {
            Ok(signed) => signed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let checkpoint = signed.checkpoint().clone();
        let (send, answers) = mpsc::channel();
        self.commit.submit(Request::Add(signed, now), move |outcome| drop(send.send(outcome)));
        self.commit.step(false).map_err(|error| WitnessError::Commit(error.to_string()))?;
        match answers.try_recv() {
            Ok(Ok(committed)) => {
                let Answer::Judged(judgement, _) = committed.answer else {
                    return Err(WitnessError::Commit("its writer answered another question".to_owned()));
                };
                let answer = judgement.cosignature(&checkpoint, &self.name, &*self.signer);
                self.size = if answer.is_ok() { checkpoint.size } else { self.size };
                Ok(answer)
            }
            Ok(Err(error)) => Err(WitnessError::Commit(error.to_string())),
            Err(_) => Err(WitnessError::Commit("its writer gave no answer".to_owned())),
        }
    }

    /// The size of the last checkpoint that was cosigned.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}
