"""From a photo to a picture, for programs."""

from uuid import UUID

from flask import Blueprint, Response, request

from pixshift.blueprints import pictures, share
from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import api_link, caller, json_body, toolbox, user_id
from pixshift.schemas.sharing import ShareIn, ShareOut
from pixshift.schemas.transformations import (
    ChangeIn,
    CreatedOut,
    CreateIn,
    ListIn,
    ListOut,
    OneOut,
    PaginationOut,
    PaymentOut,
    TransformationOut,
    UploadedOut,
)
from pixshift.services import history, payment_rows, sharing, transformations, uploads, watching

blueprint = Blueprint("transformations", __name__, url_prefix="/transformations")


@blueprint.post("/upload")
def upload() -> Response:
    data, filename = pictures.uploaded_file()
    photo = uploads.create(toolbox(), user_id(), data=data, filename=filename)
    return answer(UploadedOut.of(photo, api_link), 201)


@blueprint.post("")
def create() -> Response:
    asked = CreateIn.parse(json_body())
    job = transformations.create(
        toolbox(),
        user_id(),
        type_id=asked.transformation_type_id,
        image_id=asked.image_id,
        image_url=asked.image_url,
    )
    is_paused = watching.is_paused(toolbox(), job)
    created = TransformationOut.of(job, api_link, is_paused=is_paused)
    return answer(CreatedOut(transformation=created, payment=_owed(job.id) if job.due_at is None else None), 201)


def _owed(transformation_id: UUID) -> PaymentOut | None:
    record = payment_rows.record_of_job(transformation_id)
    if record is None:
        return None
    return PaymentOut(amount=float(record.amount), currency=record.currency, transformation_id=transformation_id)


@blueprint.get("")
def index() -> Response:
    asked = ListIn.parse(request.args.to_dict())
    found = history.index(user_id(), page=asked.page, limit=asked.limit, status=asked.status)
    jobs = [TransformationOut.of(job, api_link) for job in found.jobs]
    pagination = PaginationOut(page=found.page, limit=found.limit, total=found.total)
    return answer(ListOut(transformations=jobs, pagination=pagination))


@blueprint.get("/<uuid:transformation_id>")
def show(transformation_id: UUID) -> Response:
    """One's own job; an admin reads anybody's, without its pictures."""
    job = watching.look(toolbox(), caller(), transformation_id, admins_too=True)
    link = api_link if job.user_id == user_id() else None
    is_paused = watching.is_paused(toolbox(), job)
    return answer(OneOut(transformation=TransformationOut.of(job, link, is_paused=is_paused)))


@blueprint.put("/<uuid:transformation_id>")
def update(transformation_id: UUID) -> Response:
    ChangeIn.parse(json_body())
    job = transformations.cancel(toolbox(), user_id(), transformation_id)
    return answer(CreatedOut(transformation=TransformationOut.of(job, api_link)))


@blueprint.get("/<uuid:transformation_id>/download")
def download(transformation_id: UUID) -> Response:
    return pictures.send_download(transformation_id)


@blueprint.post("/<uuid:transformation_id>/share")
def share_picture(transformation_id: UUID) -> Response:
    asked = ShareIn.parse(json_body())
    shared = sharing.share(toolbox(), user_id(), transformation_id)
    return answer(ShareOut.of(share.page_url(shared.token), shared.expires_at, asked.platform))
