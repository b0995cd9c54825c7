//! `error-code` and what becomes one. Invariant: every failure of hyper, rustls and the system has a case, and what a
//! guest reads of it is no more than it could know by itself.

use std::fmt;
use std::io;
use std::sync::Arc;

use lithe_component::{record, variant};
use lithe_wasi::p2::io::IoError;

record! {
    /// `DNS-error-payload`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct DnsErrorPayload { "rcode" rcode: Option<String>, "info-code" info_code: Option<u16> }
}

record! {
    /// `TLS-alert-received-payload`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct TlsAlertReceivedPayload {
        "alert-id" alert_id: Option<u8>,
        "alert-message" alert_message: Option<String>,
    }
}

record! {
    /// `field-size-payload`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct FieldSizePayload {
        "field-name" field_name: Option<String>,
        "field-size" field_size: Option<u32>,
    }
}

variant! {
    /// `error-code`
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum ErrorCode {
        "DNS-timeout" DnsTimeout,
        "DNS-error" DnsError(DnsErrorPayload),
        "destination-not-found" DestinationNotFound,
        "destination-unavailable" DestinationUnavailable,
        "destination-IP-prohibited" DestinationIpProhibited,
        "destination-IP-unroutable" DestinationIpUnroutable,
        "connection-refused" ConnectionRefused,
        "connection-terminated" ConnectionTerminated,
        "connection-timeout" ConnectionTimeout,
        "connection-read-timeout" ConnectionReadTimeout,
        "connection-write-timeout" ConnectionWriteTimeout,
        "connection-limit-reached" ConnectionLimitReached,
        "TLS-protocol-error" TlsProtocolError,
        "TLS-certificate-error" TlsCertificateError,
        "TLS-alert-received" TlsAlertReceived(TlsAlertReceivedPayload),
        "HTTP-request-denied" HttpRequestDenied,
        "HTTP-request-length-required" HttpRequestLengthRequired,
        "HTTP-request-body-size" HttpRequestBodySize(Option<u64>),
        "HTTP-request-method-invalid" HttpRequestMethodInvalid,
        "HTTP-request-URI-invalid" HttpRequestUriInvalid,
        "HTTP-request-URI-too-long" HttpRequestUriTooLong,
        "HTTP-request-header-section-size" HttpRequestHeaderSectionSize(Option<u32>),
        "HTTP-request-header-size" HttpRequestHeaderSize(Option<FieldSizePayload>),
        "HTTP-request-trailer-section-size" HttpRequestTrailerSectionSize(Option<u32>),
        "HTTP-request-trailer-size" HttpRequestTrailerSize(FieldSizePayload),
        "HTTP-response-incomplete" HttpResponseIncomplete,
        "HTTP-response-header-section-size" HttpResponseHeaderSectionSize(Option<u32>),
        "HTTP-response-header-size" HttpResponseHeaderSize(FieldSizePayload),
        "HTTP-response-body-size" HttpResponseBodySize(Option<u64>),
        "HTTP-response-trailer-section-size" HttpResponseTrailerSectionSize(Option<u32>),
        "HTTP-response-trailer-size" HttpResponseTrailerSize(FieldSizePayload),
        "HTTP-response-transfer-coding" HttpResponseTransferCoding(Option<String>),
        "HTTP-response-content-coding" HttpResponseContentCoding(Option<String>),
        "HTTP-response-timeout" HttpResponseTimeout,
        "HTTP-upgrade-failed" HttpUpgradeFailed,
        "HTTP-protocol-error" HttpProtocolError,
        "loop-detected" LoopDetected,
        "configuration-error" ConfigurationError,
        "internal-error" InternalError(Option<String>),
    }
}

impl ErrorCode {
    /// `internal-error` in words.
    pub fn internal(words: impl Into<String>) -> ErrorCode {
        ErrorCode::InternalError(Some(words.into()))
    }

    /// The error of a stream that failed for this reason.
    pub(crate) fn io_error(&self) -> IoError {
        let mut error = IoError::new(self.to_string());
        error.http = Some(Arc::new(self.clone()));
        error
    }

    /// The reason behind the error of a stream, when it is one of HTTP.
    pub(crate) fn of(error: &IoError) -> Option<ErrorCode> {
        error.http.as_ref()?.downcast_ref().cloned()
    }

    /// Why a connection could not be made or used.
    pub(crate) fn of_io(error: &io::Error) -> ErrorCode {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return ErrorCode::of_tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
            io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                ErrorCode::DestinationIpUnroutable
            }
            io::ErrorKind::AddrNotAvailable => ErrorCode::DestinationUnavailable,
            _ => ErrorCode::ConnectionTerminated,
        }
    }

    fn of_tls(error: &rustls::Error) -> ErrorCode {
        match error {
            rustls::Error::InvalidCertificate(_) => ErrorCode::TlsCertificateError,
            rustls::Error::AlertReceived(alert) => {
                ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
                    alert_id: Some(u8::from(*alert)),
                    alert_message: Some(format!("{alert:?}")),
                })
            }
            _ => ErrorCode::TlsProtocolError,
        }
    }

    /// Why hyper gave up.
    pub(crate) fn of_hyper(error: &hyper::Error) -> ErrorCode {
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(code) = inner.downcast_ref::<ErrorCode>() {
                return code.clone();
            }
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                return ErrorCode::of_io(io);
            }
            source = inner.source();
        }
        if error.is_parse_too_large() {
            ErrorCode::HttpResponseHeaderSectionSize(None)
        } else if error.is_timeout() {
            ErrorCode::ConnectionReadTimeout
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            ErrorCode::ConnectionTerminated
        } else {
            ErrorCode::HttpProtocolError
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorCode::InternalError(Some(words)) => f.write_str(words),
            ErrorCode::HttpRequestBodySize(Some(size)) => {
                write!(f, "the request's body has {size} bytes, not as many as it announced")
            }
            ErrorCode::HttpResponseBodySize(Some(size)) => {
                write!(f, "the response's body has {size} bytes, not as many as it announced")
            }
            code => write!(f, "{code:?}"),
        }
    }
}

impl std::error::Error for ErrorCode {}
