//! A component that answers HTTP requests: `wasi:http/incoming-handler`. The input says the request, the output is the
//! response.

mod request;
mod response;

use std::pin::pin;

use serde_json::Value;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use super::{Answer, Room};
use crate::attempt::Guest;
use crate::outcome;

/// Any 0.2 is found by this name.
const INTERFACE: &str = "wasi:http/incoming-handler@0.2.0";

type Parameters = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);

/// Where `handle` is.
#[derive(Debug)]
pub(crate) struct HttpEntry {
    handle: ComponentExportIndex,
}

impl HttpEntry {
    /// As module descriptions show it.
    pub(super) const NAME: &str = "wasi:http/incoming-handler";

    /// Types as module descriptions show them.
    pub(super) const SIGNATURE: &str = "an HTTP request in, its response out";

    pub(super) fn find(component: &Component) -> Option<Self> {
        let interface = component.get_export_index(None, INTERFACE)?;
        let (ComponentItem::ComponentFunc(function), handle) = component.get_export(Some(&interface), "handle")? else {
            return None;
        };
        let takes_both = function.params().len() == 2 && function.params().all(|(_, ty)| matches!(ty, Type::Own(_)));
        (takes_both && function.results().len() == 0).then_some(Self { handle })
    }

    /// JSON Schema of the input.
    pub(super) fn input_schema() -> Value {
        request::schema()
    }

    /// JSON Schema of the output.
    pub(super) fn output_schema() -> Value {
        response::schema()
    }

    /// Why an input is no request, as far as it is known; `unknown` stands where values come at run time.
    ///
    /// # Errors
    /// A text for whoever wrote it.
    pub(super) fn check(input: &Value, unknown: &str) -> Result<(), String> {
        request::read(input, Some(unknown)).map(drop)
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &str,
        room: Room,
    ) -> wasmtime::Result<Answer> {
        let read = serde_json::from_str(input).map_err(|error| format!("the input can't be read: {error}"));
        let request = match read.and_then(|input| request::read(&input, None)) {
            Ok(request) => request,
            Err(cause) => {
                return Ok(Answer::Refused {
                    error: outcome::INVALID_INPUT,
                    cause,
                });
            }
        };
        let handle = instance.get_typed_func::<Parameters, ()>(&mut *store, &self.handle)?;
        let (answer, answered) = oneshot::channel();
        let parameters = {
            let mut http = store.data_mut().http();
            let out = http.new_response_outparam(answer)?;
            (http.new_incoming_request(request.scheme, request.request)?, out)
        };
        // The guest writes while the response is read: it has no room to write it whole.
        let mut response = pin!(response::collect(answered, room.output));
        let collected = {
            let mut returned = pin!(handle.call_async(&mut *store, parameters));
            let mut collected = None;
            loop {
                tokio::select! {
                    biased;
                    result = &mut returned => {
                        result?;
                        break collected;
                    }
                    response = &mut response, if collected.is_none() => {
                        if let Err(response::NoResponse::TooLarge) = response {
                            return Ok(response::answer(response, room.output));
                        }
                        collected = Some(response);
                    }
                }
            }
        };
        let collected = match collected {
            Some(response) => response,
            None => {
                // Nobody writes any more: what the guest left open ends here.
                store.data_mut().forget_wasi();
                response.await
            }
        };
        Ok(response::answer(collected, room.output))
    }
}
