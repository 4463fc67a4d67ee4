"""create tables

Tenant first in every primary key, unique constraint and foreign key, so that the same schema can be
distributed by tenant. The registry `tenants` is the one table that lies above tenants.

A primary key follows the other indexes of its table: among indexes that seem equally good, as they all do on a table
that nobody has analysed yet, Postgres takes the youngest, and a foreign key must not be checked along another one (the
first import into an empty base took twice the time).
"""

from alembic import op

revision = "2026_11_22_1600"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tenants (
    tenant_id INTEGER GENERATED ALWAYS AS IDENTITY,
    slug TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    currency TEXT NOT NULL,
    policies JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_tenants_slug UNIQUE (slug)
);
ALTER TABLE tenants ADD CONSTRAINT pk_tenants PRIMARY KEY (tenant_id);
CREATE TABLE audit (
    tenant_id INTEGER NOT NULL,
    audit_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    staff_id UUID NOT NULL,
    action TEXT NOT NULL,
    entity TEXT NOT NULL,
    entity_id UUID,
    records INTEGER DEFAULT 1 NOT NULL,
    reason TEXT,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (tenant_id, audit_id),
    CONSTRAINT fk_audit_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE TABLE categories (
    tenant_id INTEGER NOT NULL,
    category_id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    CONSTRAINT uq_categories_tenant_id_name UNIQUE (tenant_id, name),
    CONSTRAINT fk_categories_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
ALTER TABLE categories ADD CONSTRAINT pk_categories PRIMARY KEY (tenant_id, category_id);
CREATE TABLE changes (
    tenant_id INTEGER NOT NULL,
    change_id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    customer_id UUID,
    entity_id UUID NOT NULL,
    entity TEXT NOT NULL,
    kind TEXT NOT NULL,
    CONSTRAINT pk_changes PRIMARY KEY (tenant_id, change_id),
    CONSTRAINT fk_changes_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
CREATE TABLE channels (
    tenant_id INTEGER NOT NULL,
    channel_id UUID NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_channels_tenant_id_code UNIQUE (tenant_id, code),
    CONSTRAINT fk_channels_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT ck_channels_kind CHECK (kind IN ('calls', 'mailings', 'administrative_resource', 'closed_market', 'intermediaries', 'own_outlets', 'state_orders', 'online_sales', 'advertising', 'indirect'))
);
ALTER TABLE channels ADD CONSTRAINT pk_channels PRIMARY KEY (tenant_id, channel_id);
CREATE TABLE staff (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    kind TEXT DEFAULT 'person' NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_staff_tenant_id_subject UNIQUE (tenant_id, subject),
    CONSTRAINT fk_staff_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT ck_staff_kind CHECK (kind IN ('person', 'system')),
    CONSTRAINT ck_staff_state CHECK (state IN ('active', 'leaving', 'blocked'))
);
ALTER TABLE staff ADD CONSTRAINT pk_staff PRIMARY KEY (tenant_id, staff_id);
CREATE TABLE teams (
    tenant_id INTEGER NOT NULL,
    team_id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_teams_tenant_id_name UNIQUE (tenant_id, name),
    CONSTRAINT fk_teams_tenants_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);
ALTER TABLE teams ADD CONSTRAINT pk_teams PRIMARY KEY (tenant_id, team_id);
CREATE TABLE customers (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    birth_date DATE,
    curator_id UUID,
    team_id UUID,
    channel_id UUID,
    import_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    kind TEXT NOT NULL,
    status TEXT DEFAULT 'prospect' NOT NULL,
    display_name TEXT NOT NULL,
    sort_name TEXT COLLATE "C" NOT NULL,
    family_name TEXT,
    given_name TEXT,
    patronymic TEXT,
    legal_name TEXT,
    trade_name TEXT,
    gender TEXT,
    language TEXT,
    country TEXT,
    region TEXT,
    city TEXT,
    postal_code TEXT,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    attributes JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT fk_customers_staff_tenant_id_curator_id FOREIGN KEY(tenant_id, curator_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_customers_teams_tenant_id_team_id FOREIGN KEY(tenant_id, team_id) REFERENCES teams (tenant_id, team_id),
    CONSTRAINT fk_customers_channels_tenant_id_channel_id FOREIGN KEY(tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id),
    CONSTRAINT ck_customers_kind CHECK (kind IN ('person', 'organisation')),
    CONSTRAINT ck_customers_status CHECK (status IN ('prospect', 'customer', 'lapsed', 'archived')),
    CONSTRAINT ck_customers_gender CHECK (gender IN ('female', 'male'))
);
CREATE INDEX ix_customers_tenant_id_curator_id_customer_id ON customers (tenant_id, curator_id, customer_id);
CREATE INDEX ix_customers_tenant_id_sort_name_customer_id ON customers (tenant_id, sort_name, customer_id);
CREATE INDEX ix_customers_tenant_id_team_id_customer_id ON customers (tenant_id, team_id, customer_id);
ALTER TABLE customers ADD CONSTRAINT pk_customers PRIMARY KEY (tenant_id, customer_id);
CREATE TABLE deputies (
    tenant_id INTEGER NOT NULL,
    owner_id UUID NOT NULL,
    deputy_id UUID NOT NULL,
    from_on DATE NOT NULL,
    until_on DATE,
    CONSTRAINT pk_deputies PRIMARY KEY (tenant_id, deputy_id, owner_id, from_on),
    CONSTRAINT fk_deputies_staff_tenant_id_owner_id FOREIGN KEY(tenant_id, owner_id) REFERENCES staff (tenant_id, staff_id) ON DELETE CASCADE,
    CONSTRAINT fk_deputies_staff_tenant_id_deputy_id FOREIGN KEY(tenant_id, deputy_id) REFERENCES staff (tenant_id, staff_id) ON DELETE CASCADE
);
CREATE TABLE files (
    tenant_id INTEGER NOT NULL,
    file_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_files PRIMARY KEY (tenant_id, file_id),
    CONSTRAINT fk_files_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE TABLE chosen_customers (
    tenant_id INTEGER NOT NULL,
    choice_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    CONSTRAINT pk_chosen_customers PRIMARY KEY (tenant_id, choice_id, customer_id)
);
CREATE TABLE idempotency_keys (
    tenant_id INTEGER NOT NULL,
    staff_id UUID NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    body_hash BYTEA NOT NULL,
    status INTEGER NOT NULL,
    answer JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (tenant_id, staff_id, method, path, key),
    CONSTRAINT fk_idempotency_keys_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id)
);
CREATE TABLE jobs (
    tenant_id INTEGER NOT NULL,
    job_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    kind TEXT NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    epoch INTEGER DEFAULT 0 NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    total BIGINT,
    unit TEXT NOT NULL,
    cancel_requested BOOLEAN DEFAULT false NOT NULL,
    request JSONB DEFAULT '{}'::jsonb NOT NULL,
    error JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_jobs PRIMARY KEY (tenant_id, job_id),
    CONSTRAINT fk_jobs_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT ck_jobs_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'))
);
CREATE TABLE products (
    tenant_id INTEGER NOT NULL,
    product_id UUID NOT NULL,
    sku TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    category_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_products_tenant_id_sku UNIQUE (tenant_id, sku),
    CONSTRAINT fk_products_categories_tenant_id_category_id FOREIGN KEY(tenant_id, category_id) REFERENCES categories (tenant_id, category_id)
);
ALTER TABLE products ADD CONSTRAINT pk_products PRIMARY KEY (tenant_id, product_id);
CREATE TABLE team_members (
    tenant_id INTEGER NOT NULL,
    team_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    CONSTRAINT fk_team_members_teams_tenant_id_team_id FOREIGN KEY(tenant_id, team_id) REFERENCES teams (tenant_id, team_id) ON DELETE CASCADE,
    CONSTRAINT fk_team_members_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id) ON DELETE CASCADE
);
CREATE INDEX ix_team_members_tenant_id_staff_id ON team_members (tenant_id, staff_id);
ALTER TABLE team_members ADD CONSTRAINT pk_team_members PRIMARY KEY (tenant_id, team_id, staff_id);
CREATE TABLE contact_details (
    tenant_id INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    detail_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT,
    is_primary BOOLEAN DEFAULT false NOT NULL,
    value TEXT NOT NULL,
    normal TEXT NOT NULL,
    masked TEXT NOT NULL,
    lookup BYTEA NOT NULL,
    verdict TEXT NOT NULL,
    source TEXT NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT fk_contact_details_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE,
    CONSTRAINT ck_contact_details_verdict CHECK (verdict IN ('valid', 'possible', 'invalid'))
);
CREATE INDEX ix_contact_details_tenant_id_lookup ON contact_details (tenant_id, lookup);
ALTER TABLE contact_details ADD CONSTRAINT pk_contact_details PRIMARY KEY (tenant_id, customer_id, detail_id);
CREATE TABLE customer_external_ids (
    tenant_id INTEGER NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    customer_id UUID NOT NULL,
    CONSTRAINT fk_customer_external_ids_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_customer_external_ids_tenant_id_customer_id ON customer_external_ids (tenant_id, customer_id);
ALTER TABLE customer_external_ids ADD CONSTRAINT pk_customer_external_ids PRIMARY KEY (tenant_id, source, external_id);
CREATE TABLE exports (
    tenant_id INTEGER NOT NULL,
    export_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    job_id UUID NOT NULL,
    what TEXT NOT NULL,
    request JSONB NOT NULL,
    columns TEXT[] NOT NULL,
    format TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    rows BIGINT,
    file_id UUID,
    error JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_exports PRIMARY KEY (tenant_id, export_id),
    CONSTRAINT fk_exports_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_exports_jobs_tenant_id_job_id FOREIGN KEY(tenant_id, job_id) REFERENCES jobs (tenant_id, job_id),
    CONSTRAINT fk_exports_files_tenant_id_file_id FOREIGN KEY(tenant_id, file_id) REFERENCES files (tenant_id, file_id),
    CONSTRAINT ck_exports_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'))
);
CREATE TABLE file_parts (
    tenant_id INTEGER NOT NULL,
    file_id UUID NOT NULL,
    part_no INTEGER NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_file_parts PRIMARY KEY (tenant_id, file_id, part_no),
    CONSTRAINT fk_file_parts_files_tenant_id_file_id FOREIGN KEY(tenant_id, file_id) REFERENCES files (tenant_id, file_id) ON DELETE CASCADE
);
CREATE TABLE imports (
    tenant_id INTEGER NOT NULL,
    import_id UUID NOT NULL,
    staff_id UUID NOT NULL,
    job_id UUID NOT NULL,
    file_id UUID NOT NULL,
    kind TEXT NOT NULL,
    preset TEXT,
    source TEXT COLLATE "C" NOT NULL,
    mapping JSONB NOT NULL,
    content_hash BYTEA NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    watermark BIGINT DEFAULT 0 NOT NULL,
    rows_read BIGINT DEFAULT 0 NOT NULL,
    rows_applied BIGINT DEFAULT 0 NOT NULL,
    rows_rejected BIGINT DEFAULT 0 NOT NULL,
    counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    rejects JSONB DEFAULT '{}'::jsonb NOT NULL,
    error JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT fk_imports_staff_tenant_id_staff_id FOREIGN KEY(tenant_id, staff_id) REFERENCES staff (tenant_id, staff_id),
    CONSTRAINT fk_imports_jobs_tenant_id_job_id FOREIGN KEY(tenant_id, job_id) REFERENCES jobs (tenant_id, job_id),
    CONSTRAINT fk_imports_files_tenant_id_file_id FOREIGN KEY(tenant_id, file_id) REFERENCES files (tenant_id, file_id),
    CONSTRAINT ck_imports_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'reverted'))
);
CREATE UNIQUE INDEX uq_imports_content ON imports (tenant_id, kind, content_hash) WHERE state IN ('queued', 'running', 'done');
ALTER TABLE imports ADD CONSTRAINT pk_imports PRIMARY KEY (tenant_id, import_id);
CREATE TABLE orders (
    tenant_id INTEGER NOT NULL,
    order_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    total BIGINT NOT NULL,
    refunded BIGINT DEFAULT 0 NOT NULL,
    ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    import_id UUID,
    ordered_on DATE NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT COLLATE "C" DEFAULT '' NOT NULL,
    external_id TEXT COLLATE "C",
    sales_channel TEXT,
    CONSTRAINT uq_orders_tenant_id_source_external_id UNIQUE (tenant_id, source, external_id),
    CONSTRAINT fk_orders_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id),
    CONSTRAINT ck_orders_status CHECK (status IN ('new', 'paid', 'completed', 'cancelled', 'returned'))
);
CREATE INDEX ix_orders_tenant_id_customer_id_ordered_on ON orders (tenant_id, customer_id, ordered_on);
CREATE INDEX ix_orders_tenant_id_ordered_at_order_id ON orders (tenant_id, ordered_at, order_id);
ALTER TABLE orders ADD CONSTRAINT pk_orders PRIMARY KEY (tenant_id, order_id);
CREATE TABLE purchase_totals (
    tenant_id INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    customer_id UUID NOT NULL,
    revenue BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    refunds INTEGER NOT NULL,
    first_on DATE,
    last_on DATE,
    latest_on DATE NOT NULL,
    pending_from DATE,
    currency TEXT NOT NULL,
    CONSTRAINT fk_purchase_totals_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_purchase_totals_pending ON purchase_totals (tenant_id, pending_from) WHERE pending_from IS NOT NULL;
CREATE INDEX ix_purchase_totals_tenant_id_currency_latest_on ON purchase_totals (tenant_id, currency, latest_on);
ALTER TABLE purchase_totals ADD CONSTRAINT pk_purchase_totals PRIMARY KEY (tenant_id, customer_id, currency);
CREATE TABLE search_tokens (
    tenant_id INTEGER NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    customer_id UUID NOT NULL,
    CONSTRAINT fk_search_tokens_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id) ON DELETE CASCADE
);
CREATE INDEX ix_search_tokens_tenant_id_customer_id ON search_tokens (tenant_id, customer_id);
ALTER TABLE search_tokens ADD CONSTRAINT pk_search_tokens PRIMARY KEY (tenant_id, token, customer_id);
CREATE TABLE import_rejects (
    tenant_id INTEGER NOT NULL,
    import_id UUID NOT NULL,
    row_no BIGINT NOT NULL,
    line BIGINT NOT NULL,
    field TEXT,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    cells TEXT[] NOT NULL,
    CONSTRAINT pk_import_rejects PRIMARY KEY (tenant_id, import_id, row_no),
    CONSTRAINT fk_import_rejects_imports_tenant_id_import_id FOREIGN KEY(tenant_id, import_id) REFERENCES imports (tenant_id, import_id) ON DELETE CASCADE
);
CREATE TABLE order_lines (
    tenant_id INTEGER NOT NULL,
    line_no INTEGER NOT NULL,
    order_id UUID NOT NULL,
    product_id UUID NOT NULL,
    unit_price BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    quantity NUMERIC NOT NULL,
    CONSTRAINT pk_order_lines PRIMARY KEY (tenant_id, order_id, line_no),
    CONSTRAINT fk_order_lines_orders_tenant_id_order_id FOREIGN KEY(tenant_id, order_id) REFERENCES orders (tenant_id, order_id) ON DELETE CASCADE,
    CONSTRAINT fk_order_lines_products_tenant_id_product_id FOREIGN KEY(tenant_id, product_id) REFERENCES products (tenant_id, product_id)
);
CREATE TABLE refunds (
    tenant_id INTEGER NOT NULL,
    refund_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    order_id UUID,
    amount BIGINT NOT NULL,
    refunded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    import_id UUID,
    refunded_on DATE NOT NULL,
    currency TEXT NOT NULL,
    source TEXT COLLATE "C" DEFAULT '' NOT NULL,
    external_id TEXT COLLATE "C",
    reason TEXT,
    CONSTRAINT uq_refunds_tenant_id_source_external_id UNIQUE (tenant_id, source, external_id),
    CONSTRAINT fk_refunds_customers_tenant_id_customer_id FOREIGN KEY(tenant_id, customer_id) REFERENCES customers (tenant_id, customer_id),
    CONSTRAINT fk_refunds_orders_tenant_id_order_id FOREIGN KEY(tenant_id, order_id) REFERENCES orders (tenant_id, order_id) ON DELETE CASCADE
);
CREATE INDEX ix_refunds_tenant_id_customer_id_refunded_on ON refunds (tenant_id, customer_id, refunded_on);
CREATE INDEX ix_refunds_tenant_id_order_id ON refunds (tenant_id, order_id);
ALTER TABLE refunds ADD CONSTRAINT pk_refunds PRIMARY KEY (tenant_id, refund_id);
CREATE TABLE refund_lines (
    tenant_id INTEGER NOT NULL,
    line_no INTEGER NOT NULL,
    refund_id UUID NOT NULL,
    product_id UUID NOT NULL,
    unit_price BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    quantity NUMERIC NOT NULL,
    CONSTRAINT pk_refund_lines PRIMARY KEY (tenant_id, refund_id, line_no),
    CONSTRAINT fk_refund_lines_refunds_tenant_id_refund_id FOREIGN KEY(tenant_id, refund_id) REFERENCES refunds (tenant_id, refund_id) ON DELETE CASCADE,
    CONSTRAINT fk_refund_lines_products_tenant_id_product_id FOREIGN KEY(tenant_id, product_id) REFERENCES products (tenant_id, product_id)
);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.get_bind().connection.run_async(lambda connection: connection.execute(TABLES))
    # Rows come and go all the time here; the defaults would let dead rows pile up.
    op.execute("ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)")
    op.execute("ALTER TABLE imports SET (fillfactor = 70)")
    # Parts are compressed already or streamed once: out of line, untouched.
    op.execute("ALTER TABLE file_parts ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "DROP TABLE chosen_customers, refund_lines, refunds, order_lines, import_rejects, search_tokens, purchase_totals, orders, imports, file_parts, exports, customer_external_ids, contact_details, team_members, products, jobs, idempotency_keys, files, deputies, customers, teams, staff, channels, changes, categories, audit, tenants"
    )
