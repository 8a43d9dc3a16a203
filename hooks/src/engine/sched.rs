//! Which thread goes first when cores are short: every call into the kernel's scheduler.
//!
//! Linux knows priorities of threads; elsewhere these do nothing, and functions that compute share the cores with
//! all others.

/// A thread, as the kernel numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(i32);

#[cfg(target_os = "linux")]
mod linux {
    use super::ThreadId;

    /// The first version of `struct sched_attr` (sched_setattr(2)).
    #[repr(C)]
    #[derive(Default)]
    struct SchedAttr {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }

    /// `SCHED_ATTR_SIZE_VER0`.
    const ATTR_SIZE: u32 = 48;
    const _: () = assert!(size_of::<SchedAttr>() == ATTR_SIZE as usize);

    /// Nanoseconds of the shortest slice that the kernel grants on request (since 6.12; ignored before).
    const SHORT_SLICE: u64 = 100_000;

    pub(crate) fn current() -> ThreadId {
        // SAFETY: no arguments, and it cannot fail.
        ThreadId(unsafe { libc::gettid() })
    }

    /// Lets other threads of the machine go first, `nice` steps of them; for ever, since only the privileged
    /// may go back.
    pub(crate) fn be_nice(nice: i32) {
        // SAFETY: no pointers; 0 names the calling thread. A refusal changes nothing but the priority.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    }

    /// [`be_nice`] for all threads of the process that have this name, which the kernel cuts to 15 bytes.
    pub(crate) fn set_nice_by_name(name: &str, nice: i32) {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
        for task in tasks.flatten() {
            let named = std::fs::read_to_string(task.path().join("comm"))
                .is_ok_and(|comm| comm.trim_end() == name);
            let id = task.file_name().to_str().and_then(|id| id.parse().ok());
            if let Some(id) = id.filter(|_| named) {
                // SAFETY: as above; a thread that has ended meanwhile is refused.
                let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, id, nice) };
            }
        }
    }

    /// Asks for short slices: a thread that waits for events is then let in when one comes, and not when the thread
    /// before it has had its three milliseconds.
    pub(crate) fn be_prompt() {
        let attr = SchedAttr {
            size: ATTR_SIZE,
            runtime: SHORT_SLICE,
            ..SchedAttr::default()
        };
        // SAFETY: `attr` is a valid structure of the size it tells, and only read; 0 names the calling thread.
        let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    }

    /// Lets a thread run only where no other wants to. Whether the system allowed it.
    pub(crate) fn set_idle(thread: ThreadId) -> bool {
        set_policy(thread.0, libc::SCHED_IDLE)
    }

    /// Takes [`set_idle`] back for the calling thread. The unprivileged may not.
    pub(crate) fn set_normal() -> bool {
        set_policy(0, libc::SCHED_OTHER)
    }

    /// The processor time that the calling thread has had.
    pub(crate) fn thread_time() -> std::time::Duration {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the structure is written by the call alone, which cannot fail for this clock.
        let _ = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        std::time::Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    }

    fn set_policy(thread: i32, policy: i32) -> bool {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the structure is only read. A number that no thread has any more is refused, and threads of the pool
        // keep theirs for as long as their handle is asked.
        unsafe { libc::sched_setscheduler(thread, policy, &raw const parameters) == 0 }
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other {
    use super::ThreadId;

    pub(crate) fn current() -> ThreadId {
        ThreadId(0)
    }

    pub(crate) fn be_nice(_nice: i32) {}

    pub(crate) fn set_nice_by_name(_name: &str, _nice: i32) {}

    pub(crate) fn be_prompt() {}

    pub(crate) fn set_idle(_thread: ThreadId) -> bool {
        false
    }

    pub(crate) fn set_normal() -> bool {
        true
    }

    /// Time that passes, in place of time that is used.
    pub(crate) fn thread_time() -> std::time::Duration {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn policy(thread: ThreadId) -> i32 {
        // SAFETY: no pointers.
        unsafe { libc::sched_getscheduler(thread.0) }
    }

    #[test]
    fn a_thread_can_be_told_to_give_way_by_another() {
        let (tell, told) = std::sync::mpsc::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            be_prompt();
            let _ = tell.send(current());
            let _ = wait.recv();
            set_normal()
        });
        let id = told.recv().unwrap();
        assert_eq!(policy(id), libc::SCHED_OTHER);
        assert!(set_idle(id));
        assert_eq!(policy(id), libc::SCHED_IDLE);
        drop(go_on);
        // Allowed or not, by privilege; either is an answer.
        let _ = thread.join().unwrap();
    }
}
