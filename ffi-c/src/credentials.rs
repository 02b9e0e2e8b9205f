//! Who sends the requests.

use tminus_core::options::Secret;
use tminus_core::{Credentials, Result, SharedCredentials};

use crate::data::{invalid, tminus_str_t};

/// Access key pair; none when `access_key` is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_credentials_t {
    pub access_key: tminus_str_t,
    /// Signs the requests, never travels.
    pub secret_key: tminus_str_t,
    /// Of temporary credentials, else none.
    pub security_token: tminus_str_t,
}

impl tminus_credentials_t {
    pub(crate) const NONE: Self = Self {
        access_key: tminus_str_t::NONE,
        secret_key: tminus_str_t::NONE,
        security_token: tminus_str_t::NONE,
    };

    /// Copies the input; `None` without an access key.
    ///
    /// # Safety
    /// The texts are readable.
    pub(crate) unsafe fn copy(&self, operation: &'static str) -> Result<Option<Credentials>> {
        // SAFETY: the caller's promise is the same.
        unsafe {
            let Some(access_key) = self.access_key.read_option("access_key", operation)? else {
                return Ok(None);
            };
            let mut credentials =
                Credentials::new(access_key, self.secret_key.read("secret_key", operation)?);
            credentials.security_token =
                self.security_token.read_option("security_token", operation)?.map(Secret::new);
            Ok(Some(credentials))
        }
    }
}

/// Lets a client that was started with `shared` sign with the credentials of the host from now on.
///
/// # Safety
/// `given` is NULL or readable, and so are its texts.
pub(crate) unsafe fn replace(
    shared: Option<&SharedCredentials>,
    given: *const tminus_credentials_t,
) -> Result<()> {
    let operation = "set credentials";
    // SAFETY: the caller's promise.
    let credentials = unsafe {
        let given = given.as_ref().ok_or_else(|| invalid(operation, "the credentials are NULL"))?;
        given.copy(operation)?.ok_or_else(|| invalid(operation, "the credentials have no access_key"))?
    };
    let text = "it was started without credentials and does not sign; start it with some to replace them";
    shared.ok_or_else(|| invalid(operation, text))?.set(credentials);
    Ok(())
}
