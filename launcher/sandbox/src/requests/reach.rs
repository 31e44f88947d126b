//! Reaching a server: its addresses are looked up, judged, and connected to as they were judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use policy::{Request, fetch_reaches};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};

use super::answer::Failure;
use super::pool::{Connection, Server};
use super::{MOST_HEAD_BYTES, MOST_HEADERS, Requests};

/// How long one address may take to answer, and a server with all its addresses.
const ADDRESS: Duration = Duration::from_secs(10);
const SERVER: Duration = Duration::from_secs(30);

/// Whom the host trusts, read when it is first needed: that takes milliseconds.
#[derive(Default)]
pub(super) struct Trust(OnceCell<Result<Arc<ClientConfig>, String>>);

impl Trust {
    async fn connector(&self) -> Result<TlsConnector, Failure> {
        let read = || async {
            let read = tokio::task::spawn_blocking(host_trust).await;
            read.unwrap_or_else(|_| Err("the host's certificates cannot be read".to_owned()))
        };
        match self.0.get_or_init(read).await {
            Ok(config) => Ok(TlsConnector::from(Arc::clone(config))),
            Err(why) => Err(Failure::failed("ERR_TLS_NO_CERTIFICATES", why.as_str())),
        }
    }
}

fn host_trust() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Old stores hold some that nobody can read.
    let (readable, _) = roots.add_parsable_certificates(found.certs);
    if readable == 0 {
        return Err("the host trusts no certificates: set SSL_CERT_FILE for the launcher".to_owned());
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A new connection to `server`, for a request that the policy grants by its URL.
pub(super) async fn connect(
    requests: &Rc<Requests>,
    server: &Server,
    (url, method): (&str, &str),
) -> Result<Connection, Failure> {
    let addresses = addresses(requests, server, (url, method)).await?;
    let reached = tokio::time::timeout(SERVER, async {
        let mut last = timed_out(url);
        for address in addresses {
            match tokio::time::timeout(ADDRESS, TcpStream::connect(SocketAddr::new(address, server.port))).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(error)) => last = refused(url, &error),
                Err(_) => last = timed_out(url),
            }
        }
        Err(last)
    });
    let (stream, address) = reached.await.map_err(|_| timed_out(url))??;
    // Small requests are not to wait for answers to others.
    let _ = stream.set_nodelay(true);
    let sender = if server.is_https {
        let name = ServerName::try_from(server.host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|_| Failure::failed("ENOTFOUND", format!("{} is not a host", server.host)))?;
        let connector = requests.trust.connector().await?;
        let greeting = tokio::time::timeout(ADDRESS, connector.connect(name, stream));
        speak(greeting.await.map_err(|_| timed_out(url))?.map_err(|error| untrusted(url, &error))?).await
    } else {
        speak(stream).await
    };
    let sender = sender.map_err(|error| Failure::failed("ECONNRESET", format!("{url}: {error}")))?;
    Ok(Connection { server: server.clone(), address, sender })
}

/// Begins to speak HTTP.
async fn speak<S>(stream: S) -> hyper::Result<http1::SendRequest<super::body::Sent>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::task::spawn_local(async move {
        // Who waits for an answer is told how it ended.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// The addresses of a server that the policy lets a request go to.
async fn addresses(requests: &Requests, server: &Server, (url, method): (&str, &str)) -> Result<Vec<IpAddr>, Failure> {
    let bare = server.host.trim_matches(['[', ']']);
    let found = if let Ok(address) = bare.parse::<IpAddr>() {
        vec![address]
    } else {
        let found = tokio::time::timeout(SERVER, requests.resolver.addresses(bare)).await;
        let unknown = || Failure::failed("ENOTFOUND", format!("getaddrinfo ENOTFOUND {bare}"));
        found.ok().flatten().ok_or_else(unknown)?
    };
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        let decision = fetch_reaches(&requests.policy, url, method, address);
        if decision.allowed {
            allowed.push(address);
        } else {
            refused.get_or_insert(decision);
        }
    }
    match refused {
        Some(decision) if allowed.is_empty() => {
            let request = Request::Fetch { url: url.to_owned(), method: method.to_owned() };
            requests.refusals.note(request.clone(), decision.clone());
            Err(Failure::refused(request, decision))
        }
        _ => Ok(allowed),
    }
}

pub(super) fn timed_out(url: &str) -> Failure {
    Failure::failed("ETIMEDOUT", format!("{url} does not answer"))
}

fn refused(url: &str, error: &io::Error) -> Failure {
    let code = match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        _ => "ECONNRESET",
    };
    Failure::failed(code, format!("{code}: {url} cannot be connected to: {error}"))
}

/// What went wrong with TLS, by the codes that programs know from OpenSSL.
fn untrusted(url: &str, error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let code = match cause {
        Some(TlsError::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "CERT_HAS_EXPIRED",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "CERT_NOT_YET_VALID",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "ERR_TLS_CERT_ALTNAME_INVALID"
            }
            CertificateError::Revoked => "CERT_REVOKED",
            _ => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        },
        Some(_) => "ERR_SSL_PROTOCOL_ERROR",
        None => "ECONNRESET",
    };
    Failure::failed(code, format!("{code}: {url}: {error}"))
}
