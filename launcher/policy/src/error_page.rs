//! The stable codes of errors, and where each is explained.

/// The code of every refusal.
pub const ACCESS_DENIED: &str = "ERR_ACCESS_DENIED";

/// All codes that secure-bun itself gives to errors. Each has a page in `docs/errors`.
pub const ERROR_CODES: [&str; 10] = [
    ACCESS_DENIED,
    "ERR_CHANNEL_BROKEN",
    "ERR_EXPORT_NOT_CALLABLE",
    "ERR_EXPORT_NOT_FOUND",
    "ERR_FUNCTION_EXITED",
    "ERR_LIMIT_EXCEEDED",
    "ERR_PROGRAM_FAILED",
    "ERR_PROGRAM_KILLED",
    "ERR_RESULT_NOT_SERIALIZABLE",
    "ERR_SANDBOX_START",
];

const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors/");

/// The address of the page about a code; `None` for codes that are not secure-bun's.
pub fn error_page(code: &str) -> Option<String> {
    ERROR_CODES.contains(&code).then(|| format!("{PAGES}{code}.md"))
}

#[cfg(test)]
mod tests {
    use super::error_page;

    #[test]
    fn codes_of_others_have_no_page() {
        assert_eq!(error_page("ENOENT"), None);
        assert!(error_page("ERR_LIMIT_EXCEEDED").unwrap().ends_with("/docs/errors/ERR_LIMIT_EXCEEDED.md"));
    }
}
