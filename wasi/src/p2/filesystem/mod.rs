//! `wasi:filesystem`, linked.
//!
//! ```text
//! Grants --> Ctx --preopens--> Descriptor --open-at--> Descriptor --*-via-stream--> Input, Output
//!                                  |                       |
//!                            names, open (with preview 1)  file (positions of the guest's own)
//! ```
//!
//! Invariant: a guest reaches what its grants name and what it opened beneath, each within its access.

mod descriptor;
mod entries;
mod file;
mod types;

use lithe::Result;
use lithe_component::{GuestBytes, Linker, LinkerInstance, Resource};

use self::descriptor::{Outcome, Stop, This, at, between, metadata_hash};
use self::entries::DirectoryEntryStream;
use crate::p2::io::IoError;
use crate::p2::{View, interface};
use crate::{Errno, names};

pub use self::descriptor::Descriptor;
pub use self::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};

/// What a guest gets.
fn answer<T>(outcome: Outcome<T>) -> Result<std::result::Result<T, ErrorCode>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Code(code)) => Ok(Err(code)),
        Err(Stop::Trap(error)) => Err(error),
    }
}

/// Defines the interfaces of `wasi:filesystem`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    let mut preopens = linker.instance(&interface("filesystem/preopens"));
    preopens.func("get-directories", |mut cx, (): ()| {
        let p2 = cx.data_mut().p2();
        let mut directories = Vec::new();
        for dir in p2.ctx.table.preopens() {
            let name = String::from_utf8_lossy(&dir.grant.guest).into_owned();
            directories.push((p2.table.push(Descriptor::granted(dir))?, name));
        }
        Ok(directories)
    })?;

    let mut types = linker.instance(&interface("filesystem/types"));
    types.resource::<Descriptor>("descriptor", |mut cx, rep| {
        cx.data_mut().p2().table.remove(This::new(rep)).map(drop)
    })?;
    types.resource::<DirectoryEntryStream>("directory-entry-stream", |mut cx, rep| {
        let stream = Resource::<DirectoryEntryStream>::new(rep);
        cx.data_mut().p2().table.remove(stream).map(drop)
    })?;
    add_descriptors(&mut types)?;
    add_contents(&mut types)?;
    add_names(&mut types)?;
    types.func(
        "[method]directory-entry-stream.read-directory-entry",
        |mut cx, (this,): (Resource<DirectoryEntryStream>,)| {
            let stream = cx.data_mut().p2().table.at_mut(&this)?;
            answer(stream.next().map_err(Stop::from))
        },
    )?;
    types.func("filesystem-error-code", |mut cx, (error,): (Resource<IoError>,)| {
        Ok(cx.data_mut().p2().table.at(&error)?.errno.and_then(ErrorCode::of))
    })?;
    Ok(())
}

/// The functions about descriptors themselves.
fn add_descriptors<T: View>(types: &mut LinkerInstance<'_, T>) -> Result<()> {
    types.func(
        "[method]descriptor.advise",
        |mut cx, (this, offset, len, advice): (This, u64, u64, Advice)| {
            let descriptor = cx.data_mut().p2().table.at(&this)?;
            answer(descriptor.advise(offset, len, advice).map_err(Stop::from))
        },
    )?;
    types.func("[method]descriptor.sync-data", |mut cx, (this,): (This,)| {
        answer(cx.data_mut().p2().table.at(&this)?.sync(false).map_err(Stop::from))
    })?;
    types.func("[method]descriptor.sync", |mut cx, (this,): (This,)| {
        answer(cx.data_mut().p2().table.at(&this)?.sync(true).map_err(Stop::from))
    })?;
    types.func("[method]descriptor.get-flags", |mut cx, (this,): (This,)| {
        answer(Ok(cx.data_mut().p2().table.at(&this)?.flags()))
    })?;
    types.func("[method]descriptor.get-type", |mut cx, (this,): (This,)| {
        let kind = cx.data_mut().p2().table.at(&this)?.kind();
        answer(kind.map(DescriptorType::from).map_err(Stop::from))
    })?;
    types.func("[method]descriptor.stat", |mut cx, (this,): (This,)| {
        let stat = cx.data_mut().p2().table.at(&this)?.stat();
        answer(stat.map(DescriptorStat::from).map_err(Stop::from))
    })?;
    types.func("[method]descriptor.set-size", |mut cx, (this, size): (This, u64)| {
        answer(cx.data_mut().p2().table.at(&this)?.set_size(size).map_err(Stop::from))
    })?;
    types.func(
        "[method]descriptor.set-times",
        |mut cx, (this, access, modified): (This, NewTimestamp, NewTimestamp)| {
            answer(descriptor::set_times(cx.data_mut().p2(), &this, access, modified))
        },
    )?;
    types.func("[method]descriptor.is-same-object", |mut cx, (this, other): (This, This)| {
        let table = &cx.data_mut().p2().table;
        Ok(table.at(&this)?.is_same_object(table.at(&other)?))
    })?;
    types.func("[method]descriptor.metadata-hash", |mut cx, (this,): (This,)| {
        let p2 = cx.data_mut().p2();
        let stat = p2.table.at(&this)?.stat().map_err(Stop::from);
        answer(stat.and_then(|stat| Ok(metadata_hash(&p2.ctx, &stat)?)))
    })?;
    Ok(())
}

/// The functions about what files and directories contain.
fn add_contents<T: View>(types: &mut LinkerInstance<'_, T>) -> Result<()> {
    types.func("[method]descriptor.read", |mut cx, (this, len, offset): (This, u64, u64)| {
        let descriptor = cx.data_mut().p2().table.at(&this)?;
        answer(descriptor.input().and_then(|file| file.read(len, offset)).map_err(Stop::from))
    })?;
    types.func(
        "[method]descriptor.write",
        |mut cx, (this, bytes, offset): (This, GuestBytes, u64)| {
            let (bytes, data) = bytes.with_data(&mut cx)?;
            let descriptor = data.p2().table.at(&this)?;
            answer(
                descriptor.output().and_then(|file| file.write(bytes, offset)).map_err(Stop::from),
            )
        },
    )?;
    types.func("[method]descriptor.read-via-stream", |mut cx, (this, offset): (This, u64)| {
        let p2 = cx.data_mut().p2();
        let stream = p2.table.at(&this)?.input().and_then(|file| file.read_stream(offset));
        answer(stream.map_err(Stop::from).and_then(|stream| Ok(p2.table.push(stream)?)))
    })?;
    types.func("[method]descriptor.write-via-stream", |mut cx, (this, offset): (This, u64)| {
        let p2 = cx.data_mut().p2();
        let file = p2.table.at(&this)?.output();
        let stream = file.and_then(|file| file.write_stream(Some(offset), p2.ctx.deadline));
        answer(stream.map_err(Stop::from).and_then(|stream| Ok(p2.table.push(stream)?)))
    })?;
    types.func("[method]descriptor.append-via-stream", |mut cx, (this,): (This,)| {
        let p2 = cx.data_mut().p2();
        let file = p2.table.at(&this)?.output();
        let stream = file.and_then(|file| file.write_stream(None, p2.ctx.deadline));
        answer(stream.map_err(Stop::from).and_then(|stream| Ok(p2.table.push(stream)?)))
    })?;
    types.func("[method]descriptor.read-directory", |mut cx, (this,): (This,)| {
        answer(descriptor::read_directory(cx.data_mut().p2(), &this))
    })?;
    Ok(())
}

/// The functions about names beneath directories.
fn add_names<T: View>(types: &mut LinkerInstance<'_, T>) -> Result<()> {
    types.func(
        "[method]descriptor.open-at",
        |mut cx,
         (this, follow, path, how, flags): (
            This,
            PathFlags,
            String,
            OpenFlags,
            DescriptorFlags,
        )| {
            answer(descriptor::open_at(cx.data_mut().p2(), &this, follow, &path, how, flags))
        },
    )?;
    types.func(
        "[method]descriptor.create-directory-at",
        |mut cx, (this, path): (This, String)| {
            answer(at(cx.data_mut().p2(), &this, &path, false, |ctx, dir, path| {
                names::create_directory(ctx.resolver, dir, path)
            }))
        },
    )?;
    types.func(
        "[method]descriptor.stat-at",
        |mut cx, (this, flags, path): (This, PathFlags, String)| {
            let follow = flags.follow();
            answer(at(cx.data_mut().p2(), &this, &path, follow, |ctx, dir, path| {
                names::stat(ctx.resolver, dir, path, follow).map(DescriptorStat::from)
            }))
        },
    )?;
    types.func(
        "[method]descriptor.metadata-hash-at",
        |mut cx, (this, flags, path): (This, PathFlags, String)| {
            let (p2, follow) = (cx.data_mut().p2(), flags.follow());
            let stat = at(p2, &this, &path, follow, |ctx, dir, path| {
                names::stat(ctx.resolver, dir, path, follow)
            });
            answer(stat.and_then(|stat| Ok(metadata_hash(&p2.ctx, &stat)?)))
        },
    )?;
    types.func(
        "[method]descriptor.set-times-at",
        |mut cx,
         (this, flags, path, access, modified): (
            This,
            PathFlags,
            String,
            NewTimestamp,
            NewTimestamp,
        )| {
            let follow = flags.follow();
            answer(at(cx.data_mut().p2(), &this, &path, follow, |ctx, dir, path| {
                let times = types::timestamps(access, modified)?;
                names::set_times(ctx.resolver, dir, path, follow, &times)
            }))
        },
    )?;
    types.func(
        "[method]descriptor.link-at",
        |mut cx, (this, flags, path, other, new): (This, PathFlags, String, This, String)| {
            let p2 = cx.data_mut().p2();
            answer(between(p2, (&this, &path), (&other, &new), |ctx, old, new| {
                names::link(ctx.resolver, old, flags.follow(), new)
            }))
        },
    )?;
    types.func(
        "[method]descriptor.rename-at",
        |mut cx, (this, path, other, new): (This, String, This, String)| {
            let p2 = cx.data_mut().p2();
            answer(between(p2, (&this, &path), (&other, &new), |ctx, old, new| {
                names::rename(ctx.resolver, old, new)
            }))
        },
    )?;
    types.func(
        "[method]descriptor.symlink-at",
        |mut cx, (this, target, path): (This, String, String)| {
            answer(at(cx.data_mut().p2(), &this, &path, false, |ctx, dir, path| {
                names::symlink(ctx.resolver, target.as_bytes(), dir, path)
            }))
        },
    )?;
    types.func("[method]descriptor.readlink-at", |mut cx, (this, path): (This, String)| {
        answer(at(cx.data_mut().p2(), &this, &path, false, |ctx, dir, path| {
            let target = names::read_link(ctx.resolver, dir, path)?;
            String::from_utf8(target).map_err(|_| Errno::Ilseq)
        }))
    })?;
    types.func(
        "[method]descriptor.remove-directory-at",
        |mut cx, (this, path): (This, String)| {
            answer(at(cx.data_mut().p2(), &this, &path, false, |ctx, dir, path| {
                names::remove_directory(ctx.resolver, dir, path)
            }))
        },
    )?;
    types.func("[method]descriptor.unlink-file-at", |mut cx, (this, path): (This, String)| {
        answer(at(cx.data_mut().p2(), &this, &path, false, |ctx, dir, path| {
            names::unlink_file(ctx.resolver, dir, path)
        }))
    })?;
    Ok(())
}
