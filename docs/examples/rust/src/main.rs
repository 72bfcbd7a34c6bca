//! Leases a name with the client that openapi-generator makes of the contract, renews the lease and gives it back.

use k256::ecdsa::SigningKey;
use portal_client::apis::{configuration::Configuration, sdk_api as sdk, Error};
use portal_client::models::{IdentityInput, RegisterChallengeRequest, RegisterRequest, RenewRequest, UnregisterRequest};
use sha3::{Digest, Keccak256};

/// `personal_sign` (EIP-191): r, s and v.
fn sign(key: &SigningKey, message: &str) -> String {
    let text = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
    let (signature, id) = key.sign_prehash_recoverable(&Keccak256::digest(text)).expect("a signature");
    format!("0x{}{:02x}", hex::encode(signature.to_bytes()), 27 + id.to_byte())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [relay, ca_file, name] = &args[..] else { return Err("usage: lease RELAY_URL CA_FILE NAME".into()) };
    let ca = reqwest::Certificate::from_pem(&std::fs::read(ca_file)?)?;
    let client = reqwest::Client::builder().add_root_certificate(ca).build()?;
    let portal = Configuration { base_path: relay.clone(), client, ..Configuration::default() };

    let key = SigningKey::random(&mut k256::elliptic_curve::rand_core::OsRng);
    let public = key.verifying_key().to_encoded_point(false);
    let address = format!("0x{}", hex::encode(&Keccak256::digest(&public.as_bytes()[1..])[12..]));
    let wanted = RegisterChallengeRequest::new(IdentityInput::new(name.clone(), address));
    let challenge = sdk::create_register_challenge(&portal, wanted).await?.data;
    // What must be checked before it is signed is in docs/vectors/sign-in-messages.json; here the least of it.
    let authority = relay.trim_start_matches("https://");
    if !challenge.siwe_message.starts_with(&format!("{authority} wants you to sign in")) {
        return Err("not signed: the message is for another relay".into());
    }
    let signature = sign(&key, &challenge.siwe_message);
    let request = RegisterRequest::new(challenge.challenge_id, challenge.siwe_message, signature);
    let lease = sdk::register_lease(&portal, request).await?.data;
    println!("leased {} until {}", lease.hostname, lease.expires_at);
    let renewal = RenewRequest { access_token: Some(lease.access_token), ..RenewRequest::default() };
    let renewed = sdk::renew_lease(&portal, Some(renewal)).await?.data;
    println!("renewed until {}", renewed.expires_at);
    let token = Some(renewed.access_token);
    sdk::unregister_lease(&portal, Some(UnregisterRequest { access_token: token.clone() })).await?;
    println!("given back");
    let once_more = RenewRequest { access_token: token, ..RenewRequest::default() };
    match sdk::renew_lease(&portal, Some(once_more)).await {
        Err(Error::ResponseError(refused)) => println!("renewed once more: {:?}", refused.entity),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    Ok(())
}
