//! The Secret of the certificates.

use http::Method;
use serde_json::json;

use super::{Keeper, Material, Step, Trouble, refused};
use crate::cluster::Answer;

impl Keeper {
    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.cluster.namespace)
    }

    /// Reads the Secret. What this replica holds stays where the Secret is gone or cannot be used.
    pub(super) async fn read(&mut self) -> Result<(), Trouble> {
        let answer = self.cluster.get(&format!("{}/{}", self.secrets(), self.names.secret)).await?;
        self.secret = None;
        match answer.status {
            200 => {
                self.alone = false;
                match Material::read(&answer.body["data"]) {
                    Some(material) => self.held = Some(material),
                    None if answer.body["data"].as_object().is_none_or(serde_json::Map::is_empty) => {}
                    None => {
                        let what = format!(
                            "the Secret {} holds no usable certificates; it is written anew",
                            self.names.secret
                        );
                        tracing::warn!("certificates: {what}");
                    }
                }
                self.secret = Some(answer.body);
                Ok(())
            }
            404 => Ok(()),
            403 => {
                self.go_alone(&answer);
                Ok(())
            }
            _ => Err(refused("get", "secrets", &self.names.secret, &answer)),
        }
    }

    fn go_alone(&mut self, answer: &Answer) {
        self.alone = true;
        // Nobody takes it out of the bundle when this replica is gone.
        self.lives.authority = self.lives.authority.min(self.lives.leaf * 7);
        if !std::mem::replace(&mut self.warned, true) {
            let why = answer.words();
            tracing::warn!(
                why,
                "cannot write the Secret {}: this replica uses an authority of its own until it stops; grant get, create and update on secrets",
                self.names.secret
            );
        }
    }

    /// Returns whether the Secret lacks what this replica holds.
    pub(super) fn is_unwritten(&self) -> bool {
        !self.alone && self.secret.as_ref().is_none_or(|secret| Material::read(&secret["data"]).is_none())
    }

    pub(super) async fn write(&mut self, material: Material, step: Step) -> Result<(), Trouble> {
        if self.alone {
            self.hold(material, step);
            return Ok(());
        }
        let name = &self.names.secret;
        let answer = match &self.secret {
            Some(secret) => {
                let mut secret = secret.clone();
                secret["data"] = material.data();
                let path = format!("{}/{name}", self.secrets());
                self.cluster.send(Method::PUT, &path, &secret).await?
            }
            None => {
                let labels = json!({"app.kubernetes.io/managed-by": "leasehold-kubernetes"});
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                    "metadata": {"name": name, "labels": labels}, "data": material.data(),
                });
                self.cluster.send(Method::POST, &self.secrets(), &secret).await?
            }
        };
        match answer.status {
            200..300 => {
                self.secret = Some(answer.body);
                self.hold(material, step);
                Ok(())
            }
            // Another replica was quicker; what it wrote is read in the next look.
            409 => Ok(()),
            403 => {
                self.go_alone(&answer);
                self.hold(material, step);
                Ok(())
            }
            _ => Err(refused("write", "secrets", name, &answer)),
        }
    }
}
