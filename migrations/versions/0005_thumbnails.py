"""A thumbnail beside each picture, for lists; it is removed with the picture."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transformations", sa.Column("thumbnail", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("transformations", "thumbnail")
