//! Hosts and ports that URLs and options name.

/// The `host:port` that a URL connects to. `text` may break off after the host's slash, where the rest is computed.
pub(crate) fn of_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let after_brackets = host.rsplit_once(']').map_or(host.as_str(), |(_, rest)| rest);
    Some(if after_brackets.contains(':') { host } else { format!("{host}:{port}") })
}

/// The same of the fixed beginning of a URL: only where the host cannot go on in the computed part.
pub(crate) fn of_beginning(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    rest.contains(['/', '?', '#']).then(|| of_url(text)).flatten()
}

/// `host:port` as a policy writes it.
pub(crate) fn joined(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::{of_beginning, of_url};

    #[test]
    fn the_port_of_the_scheme_unless_there_is_another() {
        assert_eq!(of_url("https://API.example.com/v1?x=1").as_deref(), Some("api.example.com:443"));
        assert_eq!(of_url("ws://user:pass@x.test:81").as_deref(), Some("x.test:81"));
        assert_eq!(of_url("http://[::1]/").as_deref(), Some("[::1]:80"));
        assert_eq!(of_url("./relative"), None);
        assert_eq!(of_url("file:///etc/passwd"), None);
    }

    #[test]
    fn a_host_that_may_go_on_is_not_known() {
        assert_eq!(of_beginning("https://api.example.com/").as_deref(), Some("api.example.com:443"));
        assert_eq!(of_beginning("https://api.example."), None);
    }
}
