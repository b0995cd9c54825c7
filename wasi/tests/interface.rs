//! The table of functions, the environment of a guest, clocks, exit, and bad pointers everywhere.

mod common;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::*;
use lithe_wasi::p1::{FUNCTIONS, MODULE, ParamType, Trace, function};
use lithe_wasi::{Access, Ctx, Errno, ErrorKind, Grants, GuestMemory, Input, Stop};

/// Every import of preview 1 with its parameters, `i` for `i32` and `I` for `i64`.
const SIGNATURES: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("sched_yield", ""),
    ("random_get", "ii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

#[test]
fn the_table_has_the_46_functions() {
    assert_eq!(MODULE, "wasi_snapshot_preview1");
    assert_eq!((FUNCTIONS.len(), SIGNATURES.len()), (46, 46));
    for (name, signature) in SIGNATURES {
        let function = function(name).unwrap_or_else(|| panic!("{name} is missing"));
        let params: String = function
            .params
            .iter()
            .map(|param| if param.kind.ty() == ParamType::I32 { 'i' } else { 'I' })
            .collect();
        assert_eq!(params, *signature, "{name}");
        assert_eq!(function.has_result(), *name != "proc_exit");
    }
}

#[test]
fn hostile_arguments_are_errors() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let grants = Grants::new()
        .arg("a")
        .env("K", "V")
        .stdin(Input::bytes(*b"input"))
        .tcp_listener(listener)
        .dir(temp.path(), "/", Access::ReadWrite);
    // Values that a hostile guest would try in every place, in every combination of two.
    let values = [0, 1, 2, 3, 4, 0xff, MEMORY as u64 - 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
    for function in FUNCTIONS {
        let count = function.params.len();
        for first in 0..count.max(1) {
            for second in first..count.max(1) {
                for a in values {
                    let mut guest = Guest::new(grants.clone());
                    for b in values {
                        // A wait that nothing ends would stop the test, not fail it.
                        let soon = Instant::now() + Duration::from_millis(1);
                        guest.ctx.set_deadline(Some(soon));
                        let mut args = vec![4; count];
                        for (at, value) in [(first, a), (second, b)] {
                            if let Some(arg) = args.get_mut(at) {
                                let wide = function.params[at].kind.ty() == ParamType::I64;
                                *arg = if wide { value } else { value & 0xffff_ffff };
                            }
                        }
                        let _ = guest.try_call(function.name, &args);
                    }
                }
            }
        }
        let mut guest = Guest::new(grants.clone());
        let wrong = vec![0; count + 1];
        assert!(matches!(guest.try_call(function.name, &wrong), Err(Stop::Trap(_))));
    }
}

#[test]
fn results_out_of_bounds_are_faults() {
    let temp = TempDir::new();
    temp.write("file", "contents");
    let grants = Grants::new().arg("a").dir(temp.path(), "/", Access::ReadWrite);
    let mut guest = Guest::new(grants);
    let end = MEMORY as u64;
    for (name, args) in [
        ("args_sizes_get", vec![end - 3, 0]),
        ("args_get", vec![0, end]),
        ("clock_time_get", vec![1, 0, end - 7]),
        ("fd_fdstat_get", vec![3, end - 23]),
        ("fd_filestat_get", vec![3, end - 63]),
        ("fd_prestat_get", vec![3, end - 7]),
        ("fd_prestat_dir_name", vec![3, end, 1]),
        ("fd_readdir", vec![3, end - 10, 11, 0, 0]),
        ("random_get", vec![end - 1, 2]),
        ("random_get", vec![1, 0xffff_ffff]),
    ] {
        assert_eq!(guest.call(name, &args), Err(Errno::Fault), "{name}");
    }
    // Nothing is opened when the number could not be reported.
    guest.put(PATH[0], b"made");
    let args = [3, 0, PATH[0], 4, CREAT, WRITE, 0, 0, end - 3];
    assert_eq!(guest.call("path_open", &args), Err(Errno::Fault));
    assert!(!temp.join("made").exists());
    assert_eq!(guest.close(4), Err(Errno::Badf));
}

#[test]
fn arguments_and_environment_arrive() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd = OsStr::from_bytes(b"\xff=\xfe");
    let grants = Grants::new().args(["prog", "", "a b"]).arg(odd).env("A", "1").env("B", "2=3");
    let mut guest = Guest::new(grants.env("A", "9"));
    guest.call("args_sizes_get", &[RESULT, RESULT2]).unwrap();
    assert_eq!((guest.u32(RESULT), guest.u32(RESULT2)), (4, 5 + 1 + 4 + 4));
    guest.call("args_get", &[DATA, DATA + 0x100]).unwrap();
    assert_eq!(guest.bytes(DATA + 0x100, 14), b"prog\0\0a b\0\xff=\xfe\0");
    assert_eq!(u64::from(guest.u32(DATA + 8)), DATA + 0x106);
    guest.call("environ_sizes_get", &[RESULT, RESULT2]).unwrap();
    assert_eq!((guest.u32(RESULT), guest.u32(RESULT2)), (2, 4 + 6));
    guest.call("environ_get", &[DATA, DATA + 0x100]).unwrap();
    assert_eq!(guest.bytes(DATA + 0x100, 10), b"A=9\0B=2=3\0");
    // Strings may end exactly where the memory does.
    assert_eq!(guest.call("environ_get", &[DATA, MEMORY as u64 - 10]), Ok(()));
    assert_eq!(guest.call("environ_get", &[DATA, MEMORY as u64 - 9]), Err(Errno::Fault));
}

#[test]
fn grants_that_cannot_be_honored_are_sentences() {
    let missing = Grants::new().dir("/no/such/place", "/", Access::ReadOnly);
    let error = Ctx::new(missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Directory);
    assert!(error.to_string().contains("/no/such/place"), "{error}");
    let error = Ctx::new(Grants::new().arg("a\0b")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Text);
    assert!(Ctx::new(Grants::new().env("", "v")).is_err());
    assert!(Ctx::new(Grants::new().env("a=b", "v")).is_err());
    let error = Ctx::new(Grants::new().max_descriptors(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Ctx::new(Grants::new().tcp_listen(address)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Listener);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(size_of_val(&error), size_of::<usize>());
}

#[test]
fn grants_are_shown_without_secrets() {
    let grants = Grants::new()
        .args(["prog", "x y"])
        .env("TOKEN", "hunter2")
        .inherit_stdio()
        .tcp_listen("127.0.0.1:80".parse().unwrap())
        .dir("data", "/data", Access::ReadOnly)
        .dir("out", "/out", Access::ReadWrite);
    assert_eq!(
        grants.to_string(),
        "args      \"prog\" \"x y\"\n\
         env       \"TOKEN\"\n\
         stdin     inherited\n\
         stdout    inherited\n\
         stderr    inherited\n\
         listen    tcp 127.0.0.1:80\n\
         dir       read-only  \"data\" as \"/data\"\n\
         dir       read-write \"out\" as \"/out\"\n\
         net       none\n\
         http      none\n"
    );
    let nothing = "stderr    null\ndir       none\nnet       none\nhttp      none\n";
    assert!(Grants::new().to_string().ends_with(nothing));
}

#[test]
fn clocks_tell_the_time() {
    let mut guest = Guest::new(Grants::new());
    for id in 0..4 {
        guest.call("clock_res_get", &[id, RESULT]).unwrap();
        assert!((1..1_000_000_000).contains(&guest.u64(RESULT)));
        guest.call("clock_time_get", &[id, u64::MAX, RESULT]).unwrap();
    }
    for id in [4, 0xffff_ffff] {
        assert_eq!(guest.call("clock_time_get", &[id, 0, RESULT]), Err(Errno::Inval));
        assert_eq!(guest.call("clock_res_get", &[id, RESULT]), Err(Errno::Inval));
    }
    guest.call("clock_time_get", &[0, 0, RESULT]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(now.abs_diff(guest.u64(RESULT)) < 10_000_000_000);
    guest.call("clock_time_get", &[1, 0, RESULT]).unwrap();
    guest.call("clock_time_get", &[1, 0, RESULT2]).unwrap();
    assert!(guest.u64(RESULT2) >= guest.u64(RESULT));
}

#[test]
fn processes_end_yield_and_do_not_signal() {
    let mut guest = Guest::new(Grants::new());
    assert_eq!(guest.try_call("proc_exit", &[42]), Err(Stop::Exit(42)));
    assert_eq!(guest.try_call("proc_exit", &[0xffff_ffff]), Err(Stop::Exit(-1)));
    assert_eq!(guest.call("proc_raise", &[6]), Err(Errno::Notsup));
    assert_eq!(guest.call("sched_yield", &[]), Ok(()));
}

#[test]
fn random_bytes_fill_exactly() {
    let mut guest = Guest::new(Grants::new());
    assert_eq!(guest.call("random_get", &[DATA, 0]), Ok(()));
    assert_eq!(guest.call("random_get", &[MEMORY as u64, 0]), Ok(()));
    let len = (3 << 20) + 5;
    guest.call("random_get", &[DATA, len]).unwrap();
    assert_eq!(guest.bytes(DATA + len, 16), [0; 16]);
    assert!(guest.bytes(DATA + len - 64, 64).iter().any(|&byte| byte != 0));
}

#[test]
fn contexts_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Ctx>();
    is_send::<Grants>();
}

#[test]
fn calls_are_traced_readably() {
    let mut bytes = b"a\xffb.txt".to_vec();
    let memory = GuestMemory::new(&mut bytes);
    let function = function("path_open").unwrap();
    let args = [3, 1, 0, 7, 0, 2, 0, 0, 64];
    let trace = Trace { function, args: &args, memory: &memory };
    assert_eq!(
        trace.to_string(),
        "path_open(fd=3, dirflags=0x1, path=\"a\\xffb.txt\", path_len=7, oflags=0x0, \
         fs_rights_base=0x2, fs_rights_inheriting=0x0, fdflags=0x0, opened_fd=0x40)"
    );
    let args = [0xffff_ffff, 0, 9, 9];
    let function = lithe_wasi::p1::function("path_unlink_file").unwrap();
    let trace = Trace { function, args: &args, memory: &memory };
    assert_eq!(trace.to_string(), "path_unlink_file(fd=-1, path=0x0, path_len=9)");
}
