//! What the standard library does not offer, for components and for the native build.

pub use imp::*;

#[cfg(target_family = "wasm")]
mod imp {
    use std::io;
    use wasip2::filesystem::preopens::get_directories;
    use wasip2::filesystem::types::ErrorCode;

    pub fn random(length: u64) -> io::Result<Vec<u8>> {
        Ok(wasip2::random::random::get_random_bytes(length))
    }

    pub fn exit_with_code(code: u8) -> ! {
        wasip2::cli::exit::exit_with_code(code);
        unreachable!()
    }

    /// `path` is in the preopen of the longest name that it begins with; `.` is the name of the rest.
    pub fn symlink(target: &str, path: &str) -> io::Result<()> {
        let mut preopens = get_directories();
        preopens.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        for (folder, name) in preopens {
            let inside = match name.as_str() {
                "." => Some(path.trim_start_matches("./")),
                _ => path.strip_prefix(name.as_str()).map(|rest| rest.trim_start_matches('/')),
            };
            if let Some(inside) = inside.filter(|inside| !inside.is_empty()) {
                return folder.symlink_at(target, inside).map_err(|code| match code {
                    ErrorCode::NotPermitted | ErrorCode::Access => {
                        io::ErrorKind::PermissionDenied.into()
                    }
                    ErrorCode::Exist => io::ErrorKind::AlreadyExists.into(),
                    other => io::Error::other(format!("{other:?}")),
                });
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use std::fs::File;
    use std::io::{self, Read};

    pub fn random(length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open("/dev/urandom")?.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub fn exit_with_code(code: u8) -> ! {
        std::process::exit(code.into())
    }

    pub fn symlink(target: &str, path: &str) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }
}
