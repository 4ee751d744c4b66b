"""From a photo to a picture."""

from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.errors import (
    ExternalServiceError,
    FileTooLarge,
    FreeTierExhausted,
    InvalidFileType,
    NotFound,
    PaymentRequired,
)
from pixshift.schemas import sharing
from pixshift.schemas import transformations as shapes

ENDPOINTS: dict[str, Endpoint] = {
    "api.transformation_types.index": Endpoint(
        "List the styles", shapes.TypesOut, "Those on offer. Ask again with `If-None-Match`.", not_modified=True
    ),
    "api.transformations.upload": Endpoint(
        "Upload a photo",
        shapes.UploadedOut,
        "JPG, PNG or WebP, at most 10 MB, sides from 100 to 5000 pixels. A photo that is not used is deleted at "
        "`expiresAt`.",
        status=201,
        upload=True,
        errors=(FileTooLarge, InvalidFileType, ExternalServiceError),
    ),
    "api.transformations.create": Endpoint(
        "Order a picture",
        shapes.CreatedOut,
        "Of a photo that was uploaded, by `imageId` or the `imageUrl` of the upload. It is made as soon as a worker is "
        "free, or, when `payment` is not null, as soon as that is held.",
        status=201,
        body=shapes.CreateIn,
        sent={"imageUrl": None},
        errors=(FreeTierExhausted, PaymentRequired, NotFound, ExternalServiceError),
    ),
    "api.transformations.index": Endpoint(
        "List your pictures", shapes.ListOut, "Newest first, those that were deleted too.", query=shapes.ListIn
    ),
    "api.transformations.show": Endpoint(
        "See how a picture stands",
        shapes.OneOut,
        "Ask once a second while it is PENDING or PROCESSING. A failed one has `errorCode` and `errorMessage`. Links "
        "expire, and are null once their picture is deleted.",
    ),
    "api.transformations.update": Endpoint(
        "Cancel a picture",
        shapes.CreatedOut,
        "Possible while it is PENDING; what it took is given back. It is FAILED then, with `errorCode` CANCELLED.",
        body=shapes.ChangeIn,
        sent={"status": "CANCELLED"},
    ),
    "api.transformations.download": Endpoint(
        "Download a picture",
        text="Photo and picture are deleted five minutes after the first complete download.",
        media=("image/png", "image/jpeg", "image/webp"),
        errors=(ExternalServiceError,),
    ),
    "api.transformations.share_picture": Endpoint(
        "Share a picture",
        sharing.ShareOut,
        "Makes a page with a link of its own, which ends at `expiresAt`.",
        body=sharing.ShareIn,
    ),
}
