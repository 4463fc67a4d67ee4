"""The operator's root: serve, work, migrate, tenants, tokens, settings, the demo."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import orjson
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from service.settings import Settings, env_example, every_setting

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Clientbase: the customer base of a company.")
tenant_app = typer.Typer(no_args_is_help=True, help="Tenants of this installation.")
app.add_typer(tenant_app, name="tenant")
audit_app = typer.Typer(no_args_is_help=True, help="The audit trail, its seals and its anchors.")
app.add_typer(audit_app, name="audit")
_DEFAULT_PORT = 8000


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """Settings that name a database: the given one, or the embedded server, started and migrated."""
    if settings.database.url is not None:
        yield settings
        return
    from service.db.embedded import running
    from service.db.migrate import migrate

    with running(settings.state_dir / "pg18") as server:
        owner, service = server.url(user="clientbase_owner"), server.url(user="clientbase_service")
        migrate(owner, "clientbase_service", None)
        # The children of this process use the same server.
        os.environ["CLIENTBASE_DATABASE__URL"] = service
        os.environ["CLIENTBASE_DATABASE__OWNER_URL"] = owner
        database = settings.database.model_copy(update={"url": SecretStr(service), "owner_url": SecretStr(owner)})
        yield settings.model_copy(update={"database": database})


def _owner_url(settings: Settings) -> str:
    if settings.database.owner_url is None:
        raise typer.BadParameter("set CLIENTBASE_DATABASE__OWNER_URL to the login that owns the database")
    return settings.database.owner_url.get_secret_value()


def _leave(*_: object) -> None:
    """SIGTERM unwinds: uvicorn hands the signal on when it has shut down, and the embedded server has to be stopped."""
    raise SystemExit(0)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder through which the processes of one service add up their metrics; it must be named before they start."""
    folder = tempfile.mkdtemp(prefix="clientbase-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = _DEFAULT_PORT,
    workers: Annotated[int, typer.Option(min=1, help="API processes that share the port.")] = 1,
    worker: Annotated[bool, typer.Option(help="Also run the job worker, as a child process.")] = True,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Serve the API, and the job worker in a child process."""
    if child:
        from service.main import end_with_parent
        from service.main import serve as serve_http

        end_with_parent()
        serve_http(Settings(), host=host, port=port)
        return
    signal.signal(signal.SIGTERM, _leave)
    with _shared_metrics(), _database(Settings()) as settings:
        from service.main import serve as serve_http

        again = [sys.executable, "-m", "service.cli"]
        children = [[*again, "worker", "--child"]] if worker else []
        children += [[*again, "serve", "--child", "--host", host, "--port", str(port)]] * (workers - 1)
        Console(stderr=True).print(f"[bold]Clientbase[/] on http://{host}:{port}  (docs: /docs)")
        serve_http(settings, host=host, port=port, children=children)


@app.command()
def worker(child: Annotated[bool, typer.Option("--child", hidden=True)] = False) -> None:
    """Run the job worker alone."""
    from service.worker import run

    if child:
        from service.main import end_with_parent

        end_with_parent()
    with _database(Settings()) as settings:
        run(settings)


@app.command()
def migrate() -> None:
    """Bring the database to this version, and let the service's login in."""
    settings = Settings()
    if settings.database.url is None:
        with _database(settings):
            pass
    else:
        from service.db.migrate import migrate as run_migrations

        login = urlsplit(settings.database.url.get_secret_value())
        password = unquote(login.password) if login.password else None
        run_migrations(_owner_url(settings), unquote(login.username or "clientbase_service"), password)
    typer.echo("The database is at this version.")


@app.command()
def token(
    tenant: Annotated[str, typer.Option(help="Slug of the tenant.")],
    sub: Annotated[str, typer.Option(help="Subject: the staff row that the token speaks for.")],
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")],
    ttl: Annotated[str, typer.Option(help="Life, such as 15m, 8h.")] = "1h",
) -> None:
    """Print a development token signed with the shared secret."""
    from service.api.tokens import issue
    from service.bootstrap import auth_secret

    settings = Settings()
    seconds = int(ttl[:-1]) * {"s": 1, "m": 60, "h": 3600}[ttl[-1]]
    typer.echo(
        issue(
            auth_secret(settings),
            subject=sub,
            tenant=tenant,
            scopes=scope.split(),
            issuer=settings.auth.issuer,
            audience=settings.auth.audience,
            ttl_seconds=seconds,
        )
    )


@tenant_app.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Slug: lower-case letters, digits, dashes.")],
    timezone: Annotated[str, typer.Option(help="Its time zone, such as Europe/Moscow.")] = "Europe/Moscow",
    currency: Annotated[str, typer.Option(help="Its currency, such as RUB.")] = "RUB",
    admin: Annotated[str, typer.Option(help="Subject of its first administrator.")] = "admin",
) -> None:
    """Create a tenant with an administrator who holds every scope."""
    from service.db.tenancy import add_staff, create_tenant

    async def create(url: str) -> int:
        made = await create_tenant(url, slug=name, name=name, time_zone=timezone, currency=currency)
        await add_staff(url, made, subject=admin, name=admin)
        return made

    with _database(Settings()) as settings:
        tenant_id = asyncio.run(create(_owner_url(settings)))
    typer.echo(f"Tenant {name} has the number {tenant_id}; its administrator is {admin!r}.")


@audit_app.command("verify")
def verify_audit(
    tenant: Annotated[str | None, typer.Option(help="Slug of one tenant; all of them unless named.")] = None,
) -> None:
    """Hold every seal against its row, its chain and the anchors; name what was edited, removed, put in or cut."""
    from service.bootstrap import audit_of, database_url
    from service.db.audit_seals import PgSealer
    from service.db.session import open_pool
    from service.jobs.verifying import verify_all

    async def verify(settings: Settings) -> bool:
        pool = await open_pool(database_url(settings), size=2)
        try:
            tenants = [one for one in await PgSealer(pool).tenants() if tenant in (None, one[1])]
            if not tenants:
                raise typer.BadParameter(f"there is no tenant {tenant}")
            return await verify_all(audit_of(settings, pool), tenants, Console())
        finally:
            await pool.close()

    with _database(Settings()) as settings:
        intact = asyncio.run(verify(settings))
    raise typer.Exit(0 if intact else 1)


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file that was found somewhere.")],
    tenant: Annotated[str, typer.Option(help="Slug of the tenant whose records it holds.")],
) -> None:
    """Name the export that a found file comes from, a part of it in any order; ends with 1 when it is nobody's."""
    import csv

    from service.bootstrap import mark_keys
    from service.db.tracing import NoTenant
    from service.domain.errors import DomainError
    from service.tracing import told
    from service.tracing import trace as run_trace

    with _database(Settings()) as settings:
        try:
            traced = run_trace(file, _owner_url(settings), tenant, mark_keys(settings))
        except NoTenant:
            raise typer.BadParameter(f"there is no tenant {tenant!r}") from None
        except (DomainError, csv.Error) as error:
            raise typer.BadParameter(f"the file can't be read as a table: {error}") from None
    for line in told(traced):
        typer.echo(line)
    if not traced.found:
        raise typer.Exit(1)


@app.command()
def settings(env: Annotated[bool, typer.Option("--env", help="As the text of an .env file.")] = False) -> None:
    """Print every setting, its meaning and its default."""
    if env:
        typer.echo(env_example(), nl=False)
        return
    table = Table("variable", "default", "meaning", box=None)
    for row in every_setting():
        table.add_row(*row)
    Console().print(table)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from service.api.app import assemble
    from service.api.openapi import document

    sys.stdout.buffer.write(orjson.dumps(document(assemble()), option=orjson.OPT_INDENT_2) + b"\n")


@app.command()
def demo(
    file: Annotated[Path | None, typer.Option(help="A real file to load instead of a generated base.")] = None,
    once: Annotated[bool, typer.Option(help="End after the report.")] = False,
    customers: Annotated[int, typer.Option(min=1)] = 20_000,
    orders: Annotated[int, typer.Option(min=1)] = 200_000,
    seed: Annotated[int, typer.Option()] = 1,
    port: Annotated[int, typer.Option()] = _DEFAULT_PORT,
) -> None:
    """Start on the embedded database, load a base, segment it, export under rights, keep serving."""
    from service.demo.main import demo as run_demo

    state_dir = Settings().state_dir
    raise typer.Exit(
        run_demo(file=file, once=once, customers=customers, orders=orders, seed=seed, port=port, state_dir=state_dir)
    )


if __name__ == "__main__":
    app()
