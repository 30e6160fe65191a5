//! Functions of WASI in whose place ours stand: they do the same, and tell the attempt's log what was refused.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::cli::environment::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::Host as _;
use wasmtime_wasi::p2::bindings::sockets::network;
use wasmtime_wasi::p2::bindings::sockets::{tcp::TcpSocket, udp::UdpSocket};
use wasmtime_wasi::p2::{FsResult, Network};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use crate::attempt::Guest;

/// The WASI this is written for; guests of every 0.2 find it.
const VERSION: &str = "0.2.12";

/// What a refused path tells whoever wrote the module.
const OTHER_DIRECTORY: &str =
    "`[grants]` `dirs = [{ path = \"/DIRECTORY\", guest = \"/data\" }]` in module.toml grants another directory";
const WRITABLE: &str =
    "`write = true` beside the directory's `path`, below `[grants]` in module.toml, lets the task write";

/// Puts them into a linker that has WASI.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    looking(linker)?;
    files(linker)?;
    names(linker)?;
    sockets(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What is looked at without being named.
fn looking(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker
        .instance(&format!("wasi:filesystem/preopens@{VERSION}"))?
        .func_wrap("get-directories", |mut store: StoreContextMut<Guest>, (): ()| {
            let guest = store.data_mut();
            guest.denials().looked_for_directories();
            Ok((guest.filesystem().get_directories()?,))
        })?;
    linker.instance(&format!("wasi:cli/environment@{VERSION}"))?.func_wrap(
        "get-environment",
        |mut store: StoreContextMut<Guest>, (): ()| {
            let guest = store.data_mut();
            guest.denials().looked_for_variables();
            Ok((guest.cli().get_environment()?,))
        },
    )
}

type Opened = Result<Resource<Descriptor>, ErrorCode>;
type Done = Result<(), ErrorCode>;

fn files(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&format!("wasi:filesystem/types@{VERSION}"))?;
    type Open = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, follow, path, how, flags): Open| {
            Box::new(async move {
                let guest = store.data_mut();
                let opened = guest
                    .filesystem()
                    .open_at(directory, follow, path.clone(), how, flags)
                    .await;
                let writes = flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
                    || how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
                let opened: Opened = guest.told("open", &path, writes, opened)?;
                Ok((opened,))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                let made = guest.filesystem().create_directory_at(directory, path.clone()).await;
                let made: Done = guest.told("make the directory", &path, true, made)?;
                Ok((made,))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.unlink-file-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let guest = store.data_mut();
                let gone = guest.filesystem().unlink_file_at(directory, path.clone()).await;
                let gone: Done = guest.told("delete", &path, true, gone)?;
                Ok((gone,))
            })
        },
    )
}

fn names(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker
        .instance(&format!("wasi:sockets/ip-name-lookup@{VERSION}"))?
        .func_wrap(
            "resolve-addresses",
            |mut store: StoreContextMut<Guest>, (network, name): (Resource<Network>, String)| {
                let guest = store.data_mut();
                let what = format!(
                    "the task wanted the address of `{}`",
                    crate::guest_output::cut(&name, NAME_BYTES)
                );
                guest.deny(&what, NO_SOCKETS);
                let resolved = match guest.sockets().resolve_addresses(network, name) {
                    Ok(stream) => Ok(stream),
                    Err(error) => Err(error.downcast()?),
                };
                let resolved: Result<_, network::ErrorCode> = resolved;
                Ok((resolved,))
            },
        )
}

type SocketMade<T> = (Result<Resource<T>, network::ErrorCode>,);

/// Nobody has sockets. Telling so when one is made is sooner than telling it when it is used.
fn sockets(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker
        .instance(&format!("wasi:sockets/tcp-create-socket@{VERSION}"))?
        .func_wrap(
            "create-tcp-socket",
            |mut store: StoreContextMut<Guest>, (_,): (network::IpAddressFamily,)| {
                store.data_mut().deny("the task wanted a TCP socket", NO_SOCKETS);
                let none: SocketMade<TcpSocket> = (Err(network::ErrorCode::AccessDenied),);
                Ok(none)
            },
        )?;
    linker
        .instance(&format!("wasi:sockets/udp-create-socket@{VERSION}"))?
        .func_wrap(
            "create-udp-socket",
            |mut store: StoreContextMut<Guest>, (_,): (network::IpAddressFamily,)| {
                store.data_mut().deny("the task wanted a UDP socket", NO_SOCKETS);
                let none: SocketMade<UdpSocket> = (Err(network::ErrorCode::AccessDenied),);
                Ok(none)
            },
        )
}

/// What a guest that wants a connection of its own can do.
const NO_SOCKETS: &str = "tasks have no sockets; `[grants]` `http = [\"GET https://HOST/*\"]` in module.toml lets it make \
                          requests through `wasi:http`, and workflows call services (`http:invoke`)";

/// Bytes of a guest's own names in a message.
const NAME_BYTES: usize = 200;

impl Guest {
    fn told<T>(
        &mut self,
        verb: &str,
        path: &str,
        writes: bool,
        result: FsResult<T>,
    ) -> wasmtime::Result<Result<T, ErrorCode>> {
        let code = match result {
            Ok(done) => return Ok(Ok(done)),
            Err(error) => error.downcast()?,
        };
        let refused = matches!(code, ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::ReadOnly);
        if !refused {
            return Ok(Err(code));
        }
        let stays_inside = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        let line = if writes && stays_inside {
            WRITABLE
        } else {
            OTHER_DIRECTORY
        };
        let path = crate::guest_output::cut(path, NAME_BYTES);
        self.deny(&format!("the task may not {verb} `{path}`"), line);
        Ok(Err(code))
    }
}
