//! The codec of gRPC messages: that of prost, which reads no request whose lists have too many elements.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{Message, Name};
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::{Code, Status};
use tonic_prost::{ProstCodec, ProstEncoder};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::elements;

/// Encodes `E`, and decodes `D` if [`elements::check`] lets it pass.
pub struct BoundedCodec<E, D>(PhantomData<(E, D)>);

/// Decodes messages of the type `D`.
pub struct BoundedDecoder<D>(PhantomData<D>);

impl<E, D> Default for BoundedCodec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> Codec for BoundedCodec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Name + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = BoundedDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<E, D>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

impl<D: Message + Name + Default> Decoder for BoundedDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, encoded: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        let encoded = encoded.copy_to_bytes(encoded.remaining());
        if let Err(too_many) = elements::check(&D::full_name(), &encoded) {
            let (field, text) = (too_many.field().to_owned(), too_many.to_string());
            let message = if field.is_empty() { text.clone() } else { format!("{field}: {text}") };
            let details = ErrorDetails::with_bad_request_violation(field, text);
            return Err(Status::with_error_details(Code::InvalidArgument, message, details));
        }
        D::decode(encoded).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
