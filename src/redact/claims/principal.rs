//! Whose token it looks like.

use super::Principal;
use super::read::Name;
use super::value::Value;
use zeroize::Zeroizing;

/// What a payload shows of whose it is. Nothing of it is kept but the answer.
#[derive(Default)]
pub(super) struct Signs {
    is_workload: bool,
    is_person: bool,
    sub: Option<Zeroizing<String>>,
    /// What a workload's subject may be equal to: its client, or the object of its service principal.
    same: Vec<Zeroizing<String>>,
    has_client: bool,
}

impl Signs {
    pub fn member(&mut self, name: Name, value: &Value<'_>) {
        let texts: &[_] = match value {
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(texts) => texts,
            _ => &[],
        };
        let text = texts.first().map_or("", |text| text);
        match name {
            Name::Sub if !text.is_empty() => {
                self.is_workload |= is_workload_subject(text);
                self.sub = Some(Zeroizing::new(text.to_owned()));
            }
            Name::Sub => self.sub = (!value.is_null()).then(Zeroizing::default),
            Name::ClientId | Name::Azp | Name::OtherClient | Name::Oid if !text.is_empty() => {
                self.same.push(Zeroizing::new(text.to_owned()));
                self.has_client |= name == Name::ClientId;
            }
            Name::Email if text.ends_with(".gserviceaccount.com") => self.is_workload = true,
            Name::PreferredUsername if text.starts_with("service-account-") => self.is_workload = true,
            Name::Email | Name::PreferredUsername | Name::Personal => self.is_person |= !value.is_null(),
            Name::Grant => self.is_workload |= matches!(text, "client-credentials" | "client_credentials"),
            Name::IdType if text == "app" => self.is_workload = true,
            Name::IdType if text == "user" => self.is_person = true,
            Name::Job => self.is_workload = true,
            Name::Scope | Name::Scp => {
                self.is_person |= texts.iter().any(|text| text.split(' ').any(|word| word == "openid"));
            }
            _ => {}
        }
    }

    /// Signs of a workload outweigh those of a person: issuers give service accounts names and e-mail addresses too.
    pub fn principal(self) -> Principal {
        let is_client = match &self.sub {
            // RFC 9068 §5: where no person is involved the subject is the client.
            Some(sub) => !sub.is_empty() && self.same.contains(sub),
            None => self.has_client && !self.is_person,
        };
        match () {
            () if self.is_workload || is_client => Principal::Workload,
            () if self.is_person => Principal::Person,
            () => Principal::Unknown,
        }
    }
}

/// Whether only a program has such a subject: Kubernetes, Auth0, SPIFFE, Google Cloud, GitHub Actions, GitLab, Terraform.
fn is_workload_subject(sub: &str) -> bool {
    const BEGINNINGS: [&str; 4] = ["system:serviceaccount:", "spiffe://", "repo:", "project_path:"];
    const ENDS: [&str; 2] = ["@clients", ".gserviceaccount.com"];
    BEGINNINGS.iter().any(|beginning| sub.starts_with(beginning))
        || ENDS.iter().any(|end| sub.ends_with(end))
        || sub.starts_with("organization:") && sub.contains(":workspace:")
}
