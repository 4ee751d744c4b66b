"""The fields that pages show. Rules live in the In models; their errors come back onto these fields."""

from wtforms import FileField, Form, StringField

from pixshift.errors import PixShiftError


class PhoneForm(Form):
    phone = StringField("Mobile number")


class CodeForm(Form):
    code = StringField("Six-digit code")


class EraseForm(Form):
    confirm = StringField("Type ERASE")


class PhotoForm(Form):
    image = FileField("Your photo")


_FIELDS = {"otp": "code"}  # the wire's name of a field -> the form's


def marked(form: Form, error: PixShiftError | None) -> Form:
    """The form with the error at its field, when the error is about one."""
    name = _FIELDS.get(error.field, error.field) if error and error.field else ""
    if error and name in form:
        form[name].errors = [error.message]
    return form
