/** React's way to the page. */
import { createContext, useContext } from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { Method } from '../methods/method';
import type { ParameterContext } from '../methods/parameters';
import type { Page } from './page';
import { contextOf, type PageState } from './page-state';

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error('a component stands outside of PageContext');
  return page;
}

/** Renders again when the selected part changes. */
export function usePageState<Part>(select: (state: PageState) => Part): Part {
  return useStore(usePage().store, select);
}

/** The method of the session. */
export function useMethod(): Method {
  const { findMethod } = usePage();
  const id = usePageState((state) => state.session.method.id);
  const method = findMethod(id);
  if (!method) throw new Error(`the session's method ${id} is missing`);
  return method;
}

export function useParameterContext(): ParameterContext {
  return useStore(usePage().store, useShallow(contextOf));
}
