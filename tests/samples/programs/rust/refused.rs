//! Does not compile: the compiler's message is the sample.

pub struct BearerToken(Vec<u8>);

pub fn authorization(token: &BearerToken) -> String {
    format!("Bearer {}", token)
}

pub fn access_token() -> BearerToken {
    let token: &str = "none";
    token
}
