"""From a photo to a picture, for people: choose, make, watch, take."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints import history, paying, pictures, share
from pixshift.blueprints.forms import PhotoForm, marked
from pixshift.blueprints.helpers import asset_url, caller, page_link, toolbox, user_id
from pixshift.blueprints.pages import free_view, offered
from pixshift.blueprints.rendering import leave_for, on_error, render, see, when_refused
from pixshift.errors import FileTooLarge, FreeTierExhausted, InvalidInput, PaymentRequired, PixShiftError
from pixshift.schemas.transformations import CreateIn, ListIn
from pixshift.schemas.views import JobView, PhotoView
from pixshift.services import history as listing
from pixshift.services import refunds, retention, subscriptions, transformations, uploads, watching

blueprint = Blueprint("transformations", __name__)
PAGE = 20


@blueprint.get("/transform")
def new() -> Response:
    uploads.expect(toolbox())
    style = request.args.get("style") or request.args.get("type_id")
    return _chooser(_uuid(request.args.get("photo")), _uuid(style), step=request.args.get("step", ""))


def _photo_refused(error: PixShiftError) -> Response:
    too_large = error.code == FileTooLarge.code  # then the form around it was not read either
    return _chooser(None, None if too_large else _uuid(request.form.get("style")), error)


@blueprint.post("/transform/photo")
@when_refused(_photo_refused)
def upload() -> Response:
    data, filename = pictures.uploaded_file()
    photo = uploads.create(toolbox(), user_id(), data=data, filename=filename)
    return see(url_for("transformations.new", photo=photo.id, style=request.form.get("style") or None))


@blueprint.post("/transform")
def create() -> Response:
    chosen_photo, chosen_type = request.form.get("image_id"), request.form.get("type_id")
    tier, _, way = request.form.get("tier", "").partition(":")
    must_pay = (FreeTierExhausted.code, PaymentRequired.code)
    on_error(
        lambda error: _chooser(
            _uuid(chosen_photo), _uuid(chosen_type), error, "pay" if tier or error.code in must_pay else ""
        )
    )
    if not chosen_type:
        raise InvalidInput("Choose a style first.", field="type_id")
    if tier == "premium":
        return leave_for(subscriptions.start(toolbox(), user_id()))
    asked = CreateIn.parse({"imageId": chosen_photo, "transformationTypeId": chosen_type})
    job = transformations.create(
        toolbox(), user_id(), type_id=asked.transformation_type_id, image_id=asked.image_id, tier=tier or None
    )
    if job.due_at is None:
        return paying.go_on(job.id, way, _again(job.id))
    return see(url_for("transformations.show", transformation_id=job.id))


@blueprint.get("/transformations")
def index() -> Response:
    asked = ListIn.parse({"page": request.args.get("page", 1), "limit": PAGE})
    shown = request.args.get("status", "all")
    if shown not in history.FILTERS:
        raise InvalidInput("There is no such filter.", field="status")
    found = listing.index(user_id(), page=asked.page, limit=PAGE, shown=None if shown == "all" else shown)
    return history.page(found, shown)


@blueprint.get("/transformations/<uuid:transformation_id>")
def show(transformation_id: UUID) -> Response:
    return _job_page(transformation_id)


@blueprint.get("/transformations/<uuid:transformation_id>/status")
def status(transformation_id: UUID) -> Response:
    return _job_page(transformation_id, "status_card")


@blueprint.post("/transformations/<uuid:transformation_id>/cancel")
def cancel(transformation_id: UUID) -> Response:
    transformations.cancel(toolbox(), user_id(), transformation_id)
    return see(url_for("transformations.show", transformation_id=transformation_id))


@blueprint.post("/transformations/<uuid:transformation_id>/pay")
def pay(transformation_id: UUID) -> Response:
    way = request.form.get("tier", "").partition(":")[2]
    return paying.go_on(transformation_id, way, _again(transformation_id))


@blueprint.post("/transformations/<uuid:transformation_id>/check")
def check(transformation_id: UUID) -> Response:
    on_error(_again(transformation_id))
    paying.check(transformation_id)
    return see(url_for("transformations.show", transformation_id=transformation_id))


@blueprint.post("/transformations/<uuid:transformation_id>/not-good")
def not_good(transformation_id: UUID) -> Response:
    on_error(_again(transformation_id))
    refunds.not_good(toolbox(), user_id(), transformation_id)
    return see(url_for("transformations.show", transformation_id=transformation_id))


@blueprint.post("/transformations/<uuid:transformation_id>/again")
def again(transformation_id: UUID) -> Response:
    job = transformations.find(user_id(), transformation_id)
    on_error(lambda error: _chooser(job.upload_id, job.transformation_type_id, error, "pay"))
    made = transformations.again(toolbox(), user_id(), transformation_id)
    return see(url_for("transformations.show", transformation_id=made.id))


@blueprint.post("/transformations/<uuid:transformation_id>/delete")
def delete(transformation_id: UUID) -> Response:
    job = transformations.find(user_id(), transformation_id)
    retention.delete_now(toolbox(), job.id)
    return see(url_for("transformations.show", transformation_id=job.id))


@blueprint.get("/transformations/<uuid:transformation_id>/download")
def download(transformation_id: UUID) -> Response:
    return pictures.send_download(transformation_id)


def _chooser(
    photo_id: UUID | None, type_id: UUID | None, error: PixShiftError | None = None, step: str = ""
) -> Response:
    """The photo and style steps; a photo that is gone is said so and asked for again."""
    photo = None
    if photo_id is not None:
        try:
            photo = PhotoView.of(uploads.find(toolbox(), user_id(), photo_id), page_link)
        except PixShiftError as gone:
            error = error or gone
    types = offered()
    selected = next((kind for kind in types if kind.id == type_id), None)
    form = marked(PhotoForm(), error)
    free = free_view()
    must_pay = not free.remaining and not paying.has_paid_month()
    return render(
        "transformations/new.html",
        "chooser",
        photo=photo,
        types=types,
        selected=selected,
        free=free,
        form=form,
        error=error,
        must_pay=must_pay,
        step="pay" if step == "pay" and must_pay and photo and selected else "",
        **paying.context(),
    )


def _again(transformation_id: UUID) -> Callable[[PixShiftError], Response]:
    """Its page once more, with what went wrong. Raises NotFound for somebody else's, before anything is done."""
    watching.look(toolbox(), caller(), transformation_id)
    return lambda error: _job_page(transformation_id, None, error)


def _job_page(transformation_id: UUID, block: str | None = None, error: PixShiftError | None = None) -> Response:
    seen = watching.watch(toolbox(), caller(), transformation_id)
    payment = paying.view(seen.job)
    job = JobView.of(
        seen.job,
        page_link,
        asset_url,
        seen.now,
        seen.ahead,
        seen.typical_seconds,
        seen.is_paused,
        payment.price if payment else None,
    )
    return render(
        "transformations/show.html",
        block,
        job=job,
        payment=payment,
        error=error,
        free=free_view() if job.is_final else None,
        share=share.live(job.id) if job.picture_url else None,
        **(paying.context() if job.is_unpaid else {}),
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
